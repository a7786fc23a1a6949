package gemm

import (
	"fmt"

	"outcrop.dev/outcrop/engine/tensor"
)

// Mul sets C = A·B, or adds A·B to C when accumulate is set. c is row-major with row stride
// ldc; A is (M,K), B is (K,N), C is (M,N), and any of them may be empty: with K = 0 the
// product is zero. Elements of c between rows are not touched. c must not overlap a or b.
// p may be nil: then the caller does all the work. Panics if shapes or lengths disagree.
//
// |d| <= γ·Σ|a||b| for every element, γ = (K+2)·2⁻²³ after rounding to bfloat16 where the
// kernel does (TestKernels).
func Mul(p *tensor.Pool, k *Kernel, c []float32, ldc int, a, b Matrix, accumulate bool) {
	b.check("B")
	pb := Packed{kernel: k, rows: b.Rows, cols: b.Cols}
	checkMul(c, ldc, a, &pb)
	if a.Rows == 0 || b.Cols == 0 {
		return
	}
	pb.words = borrow(pb.size())
	pb.fill(p, b)
	mul(p, c, ldc, a, &pb, accumulate)
	giveBack(pb.words)
}

// MulPacked is Mul with a B that was packed before, by the same kernel.
func MulPacked(p *tensor.Pool, k *Kernel, c []float32, ldc int, a Matrix, b *Packed, accumulate bool) {
	if b.kernel != k {
		panic(fmt.Sprintf("gemm: B is packed for %s, not for %s", b.kernel.name, k.name))
	}
	checkMul(c, ldc, a, b)
	if a.Rows == 0 || b.cols == 0 {
		return
	}
	mul(p, c, ldc, a, b, accumulate)
}

func checkMul(c []float32, ldc int, a Matrix, b *Packed) {
	a.check("A")
	if a.Cols != b.rows {
		panic(fmt.Sprintf("gemm: A is %dx%d and B is %dx%d", a.Rows, a.Cols, b.rows, b.cols))
	}
	if a.Rows == 0 || b.cols == 0 {
		return
	}
	if ldc < b.cols && a.Rows > 1 || len(c) < (a.Rows-1)*ldc+b.cols {
		panic(fmt.Sprintf("gemm: C of %dx%d with stride %d does not fit in %d elements", a.Rows, b.cols, ldc, len(c)))
	}
}

// mul runs the blocks of C, each of which is one task. No bit depends on how C is cut: a block
// takes whole rows of A and whole panels of B through all of K, and K is cut by the kernel alone.
func mul(p *tensor.Pool, c []float32, ldc int, a Matrix, b *Packed, accumulate bool) {
	if a.Cols == 0 {
		if !accumulate {
			zero(c, ldc, a.Rows, b.cols)
		}
		return
	}
	if b.bytes != nil {
		mulInt8(p, c, ldc, a, b, accumulate)
		return
	}
	whole := block{k: b.kernel, c: c, ldc: ldc, a: a, b: *b, accumulate: accumulate}
	if p.Threads() > 1 {
		mulParallel(p, newGrid(b.kernel, a.Rows, b, p.Threads()), whole)
		return
	}
	// One thread has nobody to share with, so no block is narrower than C: A is packed once. It is
	// cut at mc rows all the same, so that packed A stays in the second level cache.
	whole.p1 = b.panelCount()
	for i := 0; i < a.Rows; i += b.kernel.mc {
		whole.i0, whole.i1 = i, min(i+b.kernel.mc, a.Rows)
		whole.run()
	}
}

// mulParallel is apart from mul because its closure needs its variables on the heap.
func mulParallel(p *tensor.Pool, g grid, whole block) {
	p.For(g.tasks(), func(task, _ int) { whole.cut(g, task).run() })
}

func zero(c []float32, ldc, rows, cols int) {
	for i := range rows {
		clear(c[i*ldc:][:cols])
	}
}

// grid cuts C into blocks of nearly equal size, whole tiles high and whole panels wide. Two blocks
// share no element of C, so that tasks need no lock, and no element is summed by two of them.
//
//	            across = 2
//	         panelStep  panelStep
//	        ┌──────────┬────────┐
//	rowStep │  task 0  │ task 1 │   neighbours share rows of A, which both of them pack;
//	        ├──────────┼────────┤   those above each other share panels of B, packed once for all
//	rowStep │  task 2  │ task 3 │
//	        └──────────┴────────┘
type grid struct {
	rows, panels       int // of C
	rowStep, panelStep int // of a block
	across             int // blocks side by side
}

const (
	// gridTasks is the least number of blocks wanted: enough that threads which run at
	// different speeds finish together.
	gridTasks = 8
	// gridTiles is the least height in tiles of a block, when C is higher: so often is a
	// panel of B used when it has come to the first level cache.
	gridTiles = 4
	// gridCols is the least width of a high block: packing its rows of A again for every
	// block costs about 32/gridCols of the multiplication, and twice that when A comes
	// from memory.
	gridCols = 256
	// gridColsLow is the least width of a block that is one tile high (streams).
	gridColsLow = 64
)

// newGrid prefers low blocks to narrow ones: cutting rows packs nothing twice.
func newGrid(k *Kernel, rows int, b *Packed, threads int) grid {
	g := grid{rows: rows, panels: ceil(b.cols, k.nr)}
	tiles := ceil(rows, k.mr)
	// As many blocks down as the cache asks for (mc), or as there are tasks wanted, as long as each
	// of them uses a panel of B often enough.
	down := max(ceil(tiles*k.mr, k.mc), min(gridTasks, tiles/gridTiles), 1)
	// Steps are rounded up to whole tiles and panels. The counts follow from the steps again, or the
	// last tasks would have nothing to do.
	g.rowStep = ceil(tiles, down) * k.mr
	down = ceil(rows, g.rowStep)
	// What rows have not given is cut out of the columns, as far as packing A again is worth it. A
	// single tile is packed in no time: there memory decides.
	across, least := ceil(gridTasks, down), gridCols
	if tiles == 1 {
		across, least = streams(b, threads), gridColsLow
	}
	g.across = max(1, min(across, g.panels*k.nr/least))
	g.panelStep = ceil(g.panels, g.across)
	g.across = ceil(g.panels, g.panelStep)
	return g
}

const (
	// streamBytes is about how much of B a block reads where A has few rows. That is decoding: B
	// streams from memory, and nothing of it is used twice. Every block begins a stream of its own,
	// whose first reads the hardware does not foresee, so blocks are long (BenchmarkDecode, 576 x 576).
	streamBytes = 1 << 20
	// streamsMax blocks for each thread are enough for threads that run at different speeds.
	streamsMax = 4
)

// streams returns into how many blocks side by side B is cut that streams from memory.
func streams(b *Packed, threads int) int {
	return threads * max(1, min(streamsMax, b.Bytes()/threads/streamBytes))
}

func (g grid) tasks() int { return ceil(g.rows, g.rowStep) * g.across }

// at returns the rows [i0, i1) and the panels [p0, p1) of a block.
func (g grid) at(task int) (i0, i1, p0, p1 int) {
	i0, p0 = task/g.across*g.rowStep, task%g.across*g.panelStep
	return i0, min(i0+g.rowStep, g.rows), p0, min(p0+g.panelStep, g.panels)
}

// block is the part of C that one task computes: rows [i0, i1) and panels [p0, p1). Tasks have
// copies of it, so that what run fills in is theirs alone.
type block struct {
	k              *Kernel
	c              []float32
	ldc            int
	a              Matrix
	b              Packed
	accumulate     bool
	i0, i1, p0, p1 int
	packedA        []uint32
	scratch        []float32 // one tile
}

// cut returns the part of t that is the given task of g.
func (t block) cut(g grid, task int) block {
	t.i0, t.i1, t.p0, t.p1 = g.at(task)
	return t
}

// run goes through K block by block: pack the rows of A, then every tile.
func (t block) run() {
	k := t.k
	// Packers write groups of rows, and the last tile reads whole ones. What lies behind the rows
	// that there are may be anything: it only gets into sums that edge throws away.
	aWords := roundUp(t.i1-t.i0, max(k.mr, packRowGroup)) * k.aRow()
	buf := borrow(aWords + k.mr*k.nr)
	t.packedA, t.scratch = buf[:aWords], floats(buf[aWords:])
	for k0, step := 0, t.b.step(); k0 < t.a.Cols; k0 += step {
		kl := min(step, t.a.Cols-k0)
		k.packA(t.packedA, k.aRow(), k.words(kl), t.a.sub(t.i0, k0, t.i1-t.i0, kl))
		// C holds the sums between two blocks of K: the first sets them, the others add, in the
		// order of K. That order is the whole promise of the package.
		t.tiles(k0, k.words(kl), k0 > 0 || t.accumulate)
	}
	giveBack(buf)
}

// packRowGroup is how many rows of A a packer may write at a time.
const packRowGroup = 16

// tiles computes all tiles of the block for one block of K. A panel of B stays in the first
// level cache while the rows of A pass by from the second. The other way round all of B would pass
// by for each tile, and B is the larger.
func (t *block) tiles(k0, words int, acc bool) {
	step := t.k.height(t.i1 - t.i0) // every tile but the last is so high
	for p := t.p0; p < t.p1; {
		n := t.fullPanels(p)
		for i := t.i0; i < t.i1; i += step {
			rows := min(step, t.i1-i)
			// A micro-kernel writes whole tiles. In place it may do so only where C has all of one:
			// a row or column too many would be a neighbour's, whom another task computes just now.
			if n > 0 && t.k.tileRows[rows] == rows {
				t.tile(i, rows, k0, p, n, words, acc)
			} else {
				t.edge(i, rows, k0, p, max(n, 1), words, acc)
			}
		}
		p += max(n, 1)
	}
}

// fullPanels returns how many panels from p on the micro-kernel may take at once; 0 when p
// is the last one and not full.
func (t *block) fullPanels(p int) int {
	return min(t.k.panels, t.p1-p, t.b.cols/t.k.nr-p, t.b.adjacent(p))
}

// tile lets the micro-kernel write n panels of C in place.
func (t *block) tile(i, rows, k0, p, n, words int, acc bool) {
	c := t.c[i*t.ldc+p*t.k.nr:]
	_ = c[(rows-1)*t.ldc+n*t.k.nr-1] // assembly checks no bounds: this is the last element that it writes
	t.k.tiles[rows](&t.packedA[(i-t.i0)*t.k.aRow()], &t.b.panel(k0, p)[0], t.next(i, rows, k0, p, words), &c[0], t.ldc, words, n, b2i(acc))
}

// lowTile is up to which height a tile fetches a whole panel (asmgen.lowRows).
const lowTile = 4

// next returns what the micro-kernel is told about where B goes on, in words from the panel that it
// reads: the next panel, for kernels that take several; for the others what tile i is to fetch.
// They fetch because the hardware does not: it follows a stream, and the panel that is being used
// again and again is none. A low tile fetches the whole next panel. High ones share that, the first
// tile one half and the second the other; the rest find it in the cache. 0 fetches what is there.
func (t *block) next(i, rows, k0, p, words int) int {
	if t.k.panels > 1 {
		return t.b.stride(words)
	}
	next := t.b.ahead(k0, p, words)
	switch tile := (i - t.i0) / rows; {
	case rows <= lowTile && t.b.pages == nil:
		return 0 // the hardware follows one stream better alone (BenchmarkDecode)
	case next == 0 || rows <= lowTile || tile == 0:
		return next
	case tile == 1:
		return next + words*t.k.nr/2
	}
	return 0
}

// edge computes n panels of partial tiles, one by one by way of the scratch tile. The scratch tile
// has room for all that the micro-kernel writes; of it only what C has is copied. The numbers are
// those that tile would have made: where an element lies in a tile changes none of its sums.
func (t *block) edge(i, rows, k0, p, n, words int, acc bool) {
	nr := t.k.nr
	for j := p; j < p+n; j++ {
		cols := min(nr, t.b.cols-j*nr)
		c := t.c[i*t.ldc+j*nr:]
		if acc { // the micro-kernel adds to what it finds; what it finds elsewhere does not matter
			copyTile(t.scratch, nr, c, t.ldc, rows, cols)
		}
		t.k.tiles[rows](&t.packedA[(i-t.i0)*t.k.aRow()], &t.b.panel(k0, j)[0], t.next(i, rows, k0, j, words), &t.scratch[0], nr, words, 1, b2i(acc))
		copyTile(c, t.ldc, t.scratch, nr, rows, cols)
	}
}

func copyTile(dst []float32, ldd int, src []float32, lds, rows, cols int) {
	for r := range rows {
		copy(dst[r*ldd:][:cols], src[r*lds:][:cols])
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
