package nn

import (
	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/gemm"
)

// Adapter is the low-rank part of a linear layer whose own weights are frozen:
//
//	y += Scale·drop(x)·Aᵀ·Bᵀ
//
// The matrix of the layer may be several of a file, stacked (the queries, keys and values of
// an attention): each of these that is adapted, a part, has an A and a B of its own, and A and
// B are stacked in turn. The parts of a layer see the same dropout. Hu et al. 2021,
// arXiv:2106.09685.
type Adapter struct {
	A *Param // (P·R,in): that of part p is rows p·R to (p+1)·R
	B *Param // (rows of all parts,R); B.Parts tells how many each has
	// Columns is the first column of y of each part; Out is the width of y.
	Columns []int
	Out     int
	Scale   float32
	Drop    *Dropout // nil for none
	Layer   uint64   // tells the layers of a model apart, for Drop

	t       []float32 // (N,P·R) S·drop(x)·Aᵀ of the last Forward
	scratch *AdapterScratch
}

// AdapterScratch is the memory that the adapters of a model share.
type AdapterScratch struct {
	dt []float32 // (N,P·R) gradient of t
}

// NewAdapterScratch returns the shared memory of adapters for up to n tokens.
func NewAdapterScratch(adapters []*Adapter, n int, alloc Alloc) *AdapterScratch {
	width := 0
	for _, a := range adapters {
		width = max(width, a.A.Rows)
	}
	return &AdapterScratch{dt: alloc(n * width)}
}

// Plan gives a the memory for up to n tokens.
func (a *Adapter) Plan(s *AdapterScratch, n int, alloc Alloc) {
	a.t, a.scratch = alloc(n*a.A.Rows), s
}

// Rank returns R.
func (a *Adapter) Rank() int { return a.B.Cols }

// adapterRows is the most rows that one task of a layer with an adapter takes: few enough for
// x and y to be in a cache still when the adapter comes to them after W, for it is these
// passes that an adapter costs; enough for the product with W to be efficient.
const adapterRows, adapterRowsMin = 112, 32

// chunks calls f for consecutive chunks of n rows, about eight at least so that all threads
// have work, unless they would be lower than a tile of any kernel.
func (e Exec) chunks(n int, f func(chunk, from, to int)) {
	rows := min(adapterRows, max(adapterRowsMin, (n+7)/8))
	e.Pool.For((n+rows-1)/rows, func(i, _ int) { f(i, i*rows, min(n, (i+1)*rows)) })
}

// forward sets y = x·Wᵀ, or adds it, and adds the adapter's part; x (N,in), y (N,Out). It
// keeps what backward needs. Elements of x that are dropped are zero for the time of the call.
func (a *Adapter) forward(e Exec, w *Param, y, x []float32, n int, add bool) {
	base := gemm.PackBriefly(e.Pool, e.Kernel, transposed(w.matrix()))
	low := a.pack(e, gemm.PackBriefly)
	low.scale *= a.Drop.scale()
	in, width, one := a.A.Cols, a.A.Rows, Exec{Kernel: e.Kernel}
	a.Drop.reserve(n)
	e.chunks(n, func(chunk, from, to int) {
		x, y := x[from*in:to*in], y[from*a.Out:to*a.Out]
		gemm.MulPacked(nil, e.Kernel, y, a.Out, matrix(x, to-from, in), base, add)
		dropped := a.Drop.choose(chunk, x, from, in, a.Layer)
		dropped.clear(x)
		low.Forward(one, y, x, a.t[from*width:to*width], to-from)
		dropped.restore(x)
	})
	base.Release()
	low.release()
}

// backward sets dx = dy·W and adds the adapter's part of it, and adds to the gradients of A
// and B, given dy and forward's x, where S is Scale, with dropout divided by 1−P:
//
//	dt   = S·dy·B         y = t·Bᵀ
//	dx  += drop(dt·A)     t = S·drop(x)·Aᵀ
//	B.G += dyᵀ·t          y = t·Bᵀ
//	A.G += dtᵀ·drop(x)    t = S·drop(x)·Aᵀ
//
// dx must not be dy.
func (a *Adapter) backward(e Exec, w *Param, dx, dy, x []float32, n int) {
	a.backwardInput(e, w, dx, dy, n)
	r, in, width, row := a.Rank(), a.A.Cols, a.A.Rows, 0
	for p, part := range a.B.Parts {
		d := transposed(columns(dy, n, a.Out, a.Columns[p], part.Rows))
		gemm.Mul(e.Pool, e.Kernel, a.B.G[row*r:], r, d, columns(a.t, n, width, p*r, r), true)
		row += part.Rows
	}
	dt := transposed(matrix(a.scratch.dt, n, width))
	a.Drop.apply(e, x, n, in, a.Layer, func() {
		gemm.Mul(e.Pool, e.Kernel, a.A.G, in, dt, matrix(x, n, in), true)
	})
}

// backwardInput sets dt and dx.
func (a *Adapter) backwardInput(e Exec, w *Param, dx, dy []float32, n int) {
	base := gemm.PackBriefly(e.Pool, e.Kernel, w.matrix())
	up := a.factors(e, gemm.PackBriefly, func(m gemm.Matrix) gemm.Matrix { return m })
	r, in, width := a.Rank(), a.A.Cols, a.A.Rows
	s := a.Scale * a.Drop.scale()
	a.Drop.reserve(n)
	e.chunks(n, func(chunk, from, to int) {
		rows, dy, dx, dt := to-from, dy[from*a.Out:to*a.Out], dx[from*in:to*in], a.scratch.dt[from*width:to*width]
		gemm.MulPacked(nil, e.Kernel, dx, in, matrix(dy, rows, a.Out), base, false)
		for p, b := range up.b {
			gemm.MulPacked(nil, e.Kernel, dt[p*r:], width, columns(dy, rows, a.Out, a.Columns[p], b.Rows()), b, false)
		}
		scale(dt, s)
		dropped := a.Drop.choose(chunk, dx, from, in, a.Layer)
		gemm.MulPacked(nil, e.Kernel, dx, in, matrix(dt, rows, width), up.a, true)
		dropped.restore(dx)
	})
	base.Release()
	up.release()
}

// LowRank is an adapter for the forward pass alone, its factors packed for the kernel.
type LowRank struct {
	factors
	columns []int
	out     int
	scale   float32
}

// factors are A and the B of each part, packed.
type factors struct {
	a *gemm.Packed
	b []*gemm.Packed
}

// packing is gemm.Pack or gemm.PackBriefly.
type packing func(*tensor.Pool, *gemm.Kernel, gemm.Matrix) *gemm.Packed

// Pack returns a's forward pass with packed copies of A and B.
func (a *Adapter) Pack(e Exec) *LowRank { return a.pack(e, gemm.Pack) }

func (a *Adapter) pack(e Exec, pack packing) *LowRank {
	return &LowRank{a.factors(e, pack, transposed), a.Columns, a.Out, a.Scale}
}

// factors packs A and B, turned as the product needs them.
func (a *Adapter) factors(e Exec, pack packing, turn func(gemm.Matrix) gemm.Matrix) factors {
	f, row := factors{a: pack(e.Pool, e.Kernel, turn(a.A.matrix()))}, 0
	for _, part := range a.B.Parts {
		f.b = append(f.b, pack(e.Pool, e.Kernel, turn(a.B.rows(row, part.Rows))))
		row += part.Rows
	}
	return f
}

// release gives back what PackBriefly packed.
func (f factors) release() {
	f.a.Release()
	for _, b := range f.b {
		b.Release()
	}
}

// Width returns the columns of t, P·R.
func (l *LowRank) Width() int { return l.a.Cols() }

// Bytes returns the memory of the packed factors.
func (l *LowRank) Bytes() int {
	n := l.a.Bytes()
	for _, b := range l.b {
		n += b.Bytes()
	}
	return n
}

// Forward sets t = Scale·x·Aᵀ and adds t·Bᵀ to y. x (N,in), y (N,Out), t (N,P·R). A row's
// result depends on the row and the factors only, bit for bit. Sums in float32.
func (l *LowRank) Forward(e Exec, y, x, t []float32, n int) {
	if n == 0 {
		return
	}
	width, at := l.Width(), 0
	gemm.MulPacked(e.Pool, e.Kernel, t, width, matrix(x, n, l.a.Rows()), l.a, false)
	scale(t[:n*width], l.scale)
	for p, b := range l.b {
		gemm.MulPacked(e.Pool, e.Kernel, y[l.columns[p]:], l.out, columns(t, n, width, at, b.Rows()), b, true)
		at += b.Rows()
	}
}

// columns returns columns at to at+cols of x (n,width).
func columns(x []float32, n, width, at, cols int) gemm.Matrix {
	return gemm.Matrix{Rows: n, Cols: cols, Stride: width, F32: x[at:]}
}

// scale multiplies x by s.
func scale(x []float32, s float32) {
	for i, v := range x {
		x[i] = s * v
	}
}

// MergeInto adds Scale·B·A to w, the layer's weights (out,in), with sums in float64.
func (a *Adapter) MergeInto(w *Param) {
	r, in, row := a.Rank(), a.A.Cols, 0
	sum := make([]float64, in)
	for p, part := range a.B.Parts {
		for o := range part.Rows {
			clear(sum)
			for k, b := range a.B.W[(row+o)*r : (row+o+1)*r] {
				for j, x := range a.A.W[(p*r+k)*in : (p*r+k+1)*in] {
					sum[j] += float64(b) * float64(x)
				}
			}
			for j, s := range sum {
				w.W[(a.Columns[p]+o)*in+j] += float32(float64(a.Scale) * s)
			}
		}
		row += part.Rows
	}
}
