package nn

import (
	"outcrop.dev/outcrop/tensor/act"
	"outcrop.dev/outcrop/tensor/attention"
	"outcrop.dev/outcrop/tensor/rope"
)

// Block is one layer of the transformer:
//
//	mid = x   + attention(rope(norm1(x)·QKVᵀ))·Oᵀ
//	y   = mid + SwiGLU(norm2(mid)·GateUpᵀ)·Downᵀ
type Block struct {
	Norm1, Norm2         *Norm
	QKV, O, GateUp, Down Linear

	// X (N,C) is the block's input: the one before writes it, Backward needs it.
	X []float32

	mid     []float32 // (N,C) input of the second norm
	qkv     []float32 // (N,(H+2G)·D) after rope
	att     []float32 // (N,H·D) attention's output
	lse     []float32 // (N,H)
	gateUp  []float32 // (N,2F) gate and up side by side; their gradients after Backward
	scratch *Scratch
}

// Weights are the parameters of a block.
type Weights struct{ Norm1, QKV, O, Norm2, GateUp, Down *Param }

// Scratch is the memory that all blocks of a model share.
type Scratch struct {
	Attention *attention.Attention
	Rope      *rope.Table

	xn, dxn   []float32 // (N,C) a norm's output and its gradient
	act, dact []float32 // (N,F)
	dqkv      []float32 // (N,(H+2G)·D)
	datt      []float32 // (N,H·D)
}

// Stream is the packed batch as the layers see it.
type Stream struct {
	Tokens    []int32             // (N)
	Positions []int32             // (N) within the segment
	Segments  []attention.Segment // cover the stream
}

// NewScratch returns the shared memory for up to n tokens of blocks of width c and ffn f.
func NewScratch(a *attention.Attention, r *rope.Table, n, c, f int, alloc Alloc) *Scratch {
	heads := a.Heads * a.HeadSize
	return &Scratch{
		Attention: a, Rope: r, xn: alloc(n * c), dxn: alloc(n * c),
		act: alloc(n * f), dact: alloc(n * f), dqkv: alloc(n * a.Width()), datt: alloc(n * heads),
	}
}

// NewBlock returns a block for up to n tokens.
func NewBlock(w Weights, eps float32, n int, s *Scratch, alloc Alloc) *Block {
	return &Block{
		Norm1: NewNorm(w.Norm1, eps, n, alloc), Norm2: NewNorm(w.Norm2, eps, n, alloc),
		QKV: Linear{W: w.QKV}, O: Linear{W: w.O}, GateUp: Linear{W: w.GateUp}, Down: Linear{W: w.Down},
		X: alloc(n * w.QKV.Cols), mid: alloc(n * w.QKV.Cols), qkv: alloc(n * w.QKV.Rows),
		att: alloc(n * w.O.Cols), lse: alloc(n * s.Attention.Heads), gateUp: alloc(n * w.GateUp.Rows),
		scratch: s,
	}
}

// Forward sets y (N,C) from X, and keeps what Backward needs. y must not be X.
func (b *Block) Forward(e Exec, y []float32, st *Stream) {
	n, s := len(st.Tokens), b.scratch
	b.Norm1.Forward(e, s.xn, b.X, n)
	b.QKV.Forward(e, b.qkv, s.xn, n, false)
	b.rotate(e, b.qkv, st, rope.Rotate)
	s.Attention.Forward(st.Segments, b.att, b.lse, b.qkv)
	copyRows(e, b.mid, b.X, n, b.QKV.W.Cols)
	b.O.Forward(e, b.mid, b.att, n, true)

	b.Norm2.Forward(e, s.xn, b.mid, n)
	b.GateUp.Forward(e, b.gateUp, s.xn, n, false)
	b.swiGLU(e, n)
	copyRows(e, y, b.mid, n, b.QKV.W.Cols)
	b.Down.Forward(e, y, s.act, n, true)
}

// Backward turns dx, the gradient of y, into that of x, in place, and adds to the
// gradients of the weights. It uses up what Forward kept.
func (b *Block) Backward(e Exec, dx []float32, st *Stream) {
	n, s := len(st.Tokens), b.scratch
	b.swiGLU(e, n)                                 // cheaper to compute again than to keep
	b.Down.Backward(e, s.dact, dx, s.act, n)       // y = mid + act·Downᵀ
	b.swiGLUBackward(e, n)                         // act = SwiGLU(gate, up)
	b.Norm2.Forward(e, s.xn, b.mid, n)             // again
	b.GateUp.Backward(e, s.dxn, b.gateUp, s.xn, n) // gateUp = xn·GateUpᵀ
	b.Norm2.Backward(e, dx, s.dxn, b.mid, n)       // xn = norm2(mid); dx holds the residual's part

	b.O.Backward(e, s.datt, dx, b.att, n) // mid = x + att·Oᵀ
	s.Attention.Backward(st.Segments, s.dqkv, s.datt, b.att, b.lse, b.qkv)
	b.rotate(e, s.dqkv, st, rope.RotateBackward) // qkv = rope(xn·QKVᵀ)
	b.Norm1.Forward(e, s.xn, b.X, n)             // again
	b.QKV.Backward(e, s.dxn, s.dqkv, s.xn, n)
	b.Norm1.Backward(e, dx, s.dxn, b.X, n) // xn = norm1(x)
}

// rotate applies turn to the queries and keys of every row.
func (b *Block) rotate(e Exec, qkv []float32, st *Stream, turn func(x, cos, sin []float32)) {
	a := b.scratch.Attention
	width, turned := a.Width(), (a.Heads+a.KVHeads)*a.HeadSize
	e.rows(len(st.Tokens), func(_, from, to int) {
		for i := from; i < to; i++ {
			cos, sin := b.scratch.Rope.At(int(st.Positions[i]))
			turn(qkv[i*width:i*width+turned], cos, sin)
		}
	})
}

func (b *Block) swiGLU(e Exec, n int) {
	f := b.Down.W.Cols
	e.rows(n, func(_, from, to int) {
		for i := from; i < to; i++ {
			row := b.gateUp[i*2*f : (i+1)*2*f]
			act.SwiGLU(b.scratch.act[i*f:(i+1)*f], row[:f], row[f:])
		}
	})
}

func (b *Block) swiGLUBackward(e Exec, n int) {
	f := b.Down.W.Cols
	e.rows(n, func(_, from, to int) {
		for i := from; i < to; i++ {
			row := b.gateUp[i*2*f : (i+1)*2*f]
			act.SwiGLUBackward(row[:f], row[f:], b.scratch.dact[i*f:(i+1)*f], row[:f], row[f:])
		}
	})
}

// copyRows copies n rows of c.
func copyRows(e Exec, y, x []float32, n, c int) {
	e.rows(n, func(_, a, b int) { copy(y[a*c:b*c], x[a*c:b*c]) })
}
