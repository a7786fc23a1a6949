package nn

import "outcrop.dev/outcrop/tensor/gemm"

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

	low     LowRank
	t       []float32 // (N,P·R) Scale·drop(x)·Aᵀ of the last Forward
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
	a.low = a.lowRank(func(m gemm.Matrix) factor { return factor{matrix: m} })
}

// Rank returns R.
func (a *Adapter) Rank() int { return a.B.Cols }

// Forward adds to y (N,Out) for x (N,in), and keeps what Backward needs. Sums in float32.
// Elements of x that are dropped are zero for the time of the call.
func (a *Adapter) Forward(e Exec, y, x []float32, n int) {
	a.Drop.choose(e, x, n, a.A.Cols, a.Layer)
	a.Drop.clear(e, x, n)
	a.low.forward(e, y, x, a.t, a.Scale*a.Drop.scale(), n)
	a.Drop.restore(e, x, n)
}

// Backward adds to dx and to the gradients of A and B, given dy and Forward's x, where S is
// Scale, with dropout divided by 1−P:
//
//	B.G += dyᵀ·t          y = t·Bᵀ
//	dt   = S·dy·B         y = t·Bᵀ
//	A.G += dtᵀ·drop(x)    t = S·drop(x)·Aᵀ
//	dx  += drop(dt·A)     t = S·drop(x)·Aᵀ
//
// dx must not be dy.
func (a *Adapter) Backward(e Exec, dx, dy, x []float32, n int) {
	r, in, width := a.Rank(), a.A.Cols, a.A.Rows
	dt, row := a.scratch.dt, 0
	for p, part := range a.B.Parts {
		d := columns(dy, n, a.Out, a.Columns[p], part.Rows)
		gemm.Mul(e.Pool, e.Kernel, a.B.G[row*r:], r, transposed(d), columns(a.t, n, width, p*r, r), true)
		gemm.Mul(e.Pool, e.Kernel, dt[p*r:], width, d, a.B.rows(row, part.Rows), false)
		row += part.Rows
	}
	scale(e, dt, a.Scale*a.Drop.scale(), n, width)
	d := matrix(dt, n, width)
	a.Drop.choose(e, x, n, in, a.Layer)
	a.Drop.clear(e, x, n)
	gemm.Mul(e.Pool, e.Kernel, a.A.G, in, transposed(d), matrix(x, n, in), true)
	a.Drop.restore(e, x, n)
	a.Drop.take(e, dx, n)
	gemm.Mul(e.Pool, e.Kernel, dx, in, d, a.A.matrix(), true)
	a.Drop.restore(e, dx, n)
}

// LowRank is an adapter for the forward pass alone, its factors packed for the kernel.
type LowRank struct {
	a       factor
	b       []factor // of each part
	columns []int
	out     int
	scale   float32
}

// Pack returns a's forward pass with packed copies of A and B.
func (a *Adapter) Pack(e Exec) *LowRank {
	low := a.lowRank(func(m gemm.Matrix) factor { return factor{packed: gemm.Pack(e.Pool, e.Kernel, m)} })
	return &low
}

func (a *Adapter) lowRank(f func(gemm.Matrix) factor) LowRank {
	low := LowRank{a: f(transposed(a.A.matrix())), columns: a.Columns, out: a.Out, scale: a.Scale}
	row := 0
	for _, part := range a.B.Parts {
		low.b = append(low.b, f(transposed(a.B.rows(row, part.Rows))))
		row += part.Rows
	}
	return low
}

// Width returns the columns of t, P·R.
func (l *LowRank) Width() int { return l.a.cols() }

// Bytes returns the memory of packed factors.
func (l *LowRank) Bytes() int {
	n := l.a.bytes()
	for _, b := range l.b {
		n += b.bytes()
	}
	return n
}

// Forward sets t = Scale·x·Aᵀ and adds t·Bᵀ to y. x (N,in), y (N,Out), t (N,P·R). A row's
// result depends on the row and the factors only, bit for bit, packed or not.
func (l *LowRank) Forward(e Exec, y, x, t []float32, n int) { l.forward(e, y, x, t, l.scale, n) }

func (l *LowRank) forward(e Exec, y, x, t []float32, s float32, n int) {
	if n == 0 {
		return
	}
	in, width := l.a.rows(), l.Width()
	l.a.mul(e, t, width, matrix(x, n, in), false)
	scale(e, t, s, n, width)
	at := 0
	for p, b := range l.b {
		b.mul(e, y[l.columns[p]:], l.out, columns(t, n, width, at, b.rows()), true)
		at += b.rows()
	}
}

// factor is the right factor of a product, packed or as it is.
type factor struct {
	matrix gemm.Matrix
	packed *gemm.Packed
}

// mul sets c = a·f, or adds it.
func (f factor) mul(e Exec, c []float32, ldc int, a gemm.Matrix, add bool) {
	if f.packed != nil {
		gemm.MulPacked(e.Pool, e.Kernel, c, ldc, a, f.packed, add)
		return
	}
	gemm.Mul(e.Pool, e.Kernel, c, ldc, a, f.matrix, add)
}

func (f factor) rows() int {
	if f.packed != nil {
		return f.packed.Rows()
	}
	return f.matrix.Rows
}

func (f factor) cols() int {
	if f.packed != nil {
		return f.packed.Cols()
	}
	return f.matrix.Cols
}

func (f factor) bytes() int {
	if f.packed == nil {
		return 0
	}
	return f.packed.Bytes()
}

// columns returns columns at to at+cols of x (n,width).
func columns(x []float32, n, width, at, cols int) gemm.Matrix {
	return gemm.Matrix{Rows: n, Cols: cols, Stride: width, F32: x[at:]}
}

// scale multiplies n rows of x (N,C) by s.
func scale(e Exec, x []float32, s float32, n, c int) {
	e.rows(n, func(_, from, to int) {
		for i, v := range x[from*c : to*c] {
			x[from*c+i] = s * v
		}
	})
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
