package nn

import (
	"outcrop.dev/outcrop/engine/tensor/act"
	"outcrop.dev/outcrop/engine/tensor/attention"
	"outcrop.dev/outcrop/engine/tensor/rope"
)

// Block is one layer of the transformer, in training and in serving:
//
//	mid = x   + attention(rope(norm(norm1(x)·QKVᵀ)))·Oᵀ
//	y   = mid + act(norm2(mid)·GateUpᵀ)·Downᵀ
//
// Shape and Weights tell which parts there are: norms of heads, norms after attention and
// after the feed-forward layer, and whether that layer sees mid or x.
type Block struct {
	Shape
	QKV, O, GateUp, Down Linear

	// X (N,C) is the block's input: the one before writes it, Backward needs it.
	X []float32

	norms
	*Kept
	scratch *Scratch
}

// norms are nil where a block has none.
type norms struct{ norm1, norm2, post1, post2, q, k *Norm }

// Shape is what a block computes, besides its weights.
type Shape struct {
	Norm     NormShape
	Act      act.Kind
	Gated    bool           // GateUp makes two rows, of which the first, activated, gates the second
	Parallel bool           // the feed-forward layer sees x, not mid
	Rule     attention.Rule // the window and scale of attention
	Rope     *rope.Table    // nil: the positions are in the embedding
}

// Weights are the parameters of a block.
type Weights struct {
	Norm1, Norm2         Affine // before attention and the feed-forward layer
	Post1, Post2         Affine // after them, before the sum; without W where there is none
	Q, K                 Affine // of each head of the queries and keys; the same
	QKV, O, GateUp, Down Linear
}

// Params returns the parameters in the order of the forward pass.
func (w *Weights) Params() []*Param {
	var ps []*Param
	for _, p := range []*Param{
		w.Norm1.W, w.Norm1.Bias, w.QKV.W, w.QKV.Bias, w.Q.W, w.Q.Bias, w.K.W, w.K.Bias, w.O.W, w.O.Bias, w.Post1.W, w.Post1.Bias,
		w.Norm2.W, w.Norm2.Bias, w.GateUp.W, w.GateUp.Bias, w.Down.W, w.Down.Bias, w.Post2.W, w.Post2.Bias,
	} {
		if p != nil {
			ps = append(ps, p)
		}
	}
	return ps
}

// Kept is what Forward keeps for Backward. Blocks may share one where there is no Backward,
// or where Again runs before it.
type Kept struct {
	mid    []float32 // (N,C) input of the second norm
	qkv    []float32 // (N,(H+2G)·D) after rope
	heads  []float32 // (N,(H+2G)·D) before the norms of heads; empty without
	att    []float32 // (N,H·D) attention's output
	lse    []float32 // (N,H)
	post1  []float32 // (N,C) before that norm; empty without
	gateUp []float32 // (N,2F) gate and up side by side, or (N,F) without gate; their gradients after Backward
	post2  []float32 // (N,C) before that norm; empty without
}

// NewKept returns the memory of a block for up to n tokens.
func NewKept(w *Weights, s attention.Shape, n int, alloc Alloc) *Kept {
	k := NewServingKept(w, alloc(n*w.QKV.W.Cols), n, alloc)
	k.lse = alloc(n * s.Heads)
	if w.Q.W != nil {
		k.heads = alloc(n * s.Width())
	}
	return k
}

// NewServingKept returns the memory that all blocks may share where there is no Backward.
// x (N,C) is the blocks' input, their output too, and everything between.
func NewServingKept(w *Weights, x []float32, n int, alloc Alloc) *Kept {
	k := &Kept{mid: x, qkv: alloc(n * w.QKV.W.Rows), att: alloc(n * w.O.W.Cols), gateUp: alloc(n * w.GateUp.W.Rows)}
	if w.Post1.W != nil {
		k.post1 = alloc(n * w.O.W.Rows)
	}
	if w.Post2.W != nil {
		k.post2 = alloc(n * w.Down.W.Rows)
	}
	return k
}

// Scratch is the memory that all blocks of a model share.
type Scratch struct {
	Attention *attention.Attention

	xn, dxn   []float32 // (N,C) a norm's output and its gradient
	act, dact []float32 // (N,F)
	dqkv      []float32 // (N,(H+2G)·D)
	dheads    []float32 // (N,(H+2G)·D) gradient after the norms of heads; empty without
	datt      []float32 // (N,H·D)
	part      []float32 // of the norms
}

// NewScratch returns the shared memory for up to n tokens of blocks with such weights; with
// train unset, for the forward pass alone.
func NewScratch(a *attention.Attention, w *Weights, n int, train bool, alloc Alloc) *Scratch {
	c, f := w.QKV.W.Cols, w.Down.W.Cols
	s := &Scratch{Attention: a, xn: alloc(n * c), act: alloc(n * f)}
	if !train {
		return s
	}
	s.dxn, s.dact = alloc(n*c), alloc(n*f)
	s.dqkv, s.datt = alloc(n*a.Width()), alloc(n*w.O.W.Cols)
	s.part = alloc(PartLen(n, max(c, a.HeadSize)))
	if w.Q.W != nil {
		s.dheads = alloc(n * a.Width())
	}
	return s
}

// Stream is the packed batch as the layers see it.
type Stream struct {
	Tokens    []int32             // (N)
	Positions []int32             // (N) within the document
	Segments  []attention.Segment // in training: cover the stream
	Runs      []attention.Cached  // in serving, in place of Segments: with the caches of one layer
}

// NewBlock returns a block for up to n tokens with input x (N,C).
func NewBlock(w *Weights, sh Shape, x []float32, n int, k *Kept, s *Scratch, alloc Alloc) *Block {
	norm := func(w Affine, heads int) *Norm { return NewNorm(w, sh.Norm, n, heads, s.part, alloc) }
	return &Block{
		Shape: sh, QKV: w.QKV, O: w.O, GateUp: w.GateUp, Down: w.Down,
		norms: norms{
			norm1: norm(w.Norm1, 1), norm2: norm(w.Norm2, 1), post1: norm(w.Post1, 1), post2: norm(w.Post2, 1),
			q: norm(w.Q, s.Attention.Heads), k: norm(w.K, s.Attention.KVHeads),
		},
		X: x, Kept: k, scratch: s,
	}
}

// Forward sets y (N,C) from X, and keeps what Backward needs. With NewServingKept, y and X
// are the x given there; otherwise y must not be X.
func (b *Block) Forward(e Exec, y []float32, st *Stream) {
	b.keep(e, st)
	b.join(e, y, b.mid, b.Down, b.scratch.act, b.norms.post2, b.Kept.post2, len(st.Tokens))
}

// Again is Forward for a block whose Kept another one has used since: Backward then finds the
// same bits in it. y is not set, but for blocks with a norm after the feed-forward layer: let it
// be what Forward set, which is set to the same.
func (b *Block) Again(e Exec, y []float32, st *Stream) {
	b.keep(e, st)
	if b.norms.post2 != nil {
		b.join(e, y, b.mid, b.Down, b.scratch.act, b.norms.post2, b.Kept.post2, len(st.Tokens))
	}
}

// keep runs the block up to the activation of the feed-forward layer.
func (b *Block) keep(e Exec, st *Stream) {
	n, s := len(st.Tokens), b.scratch
	b.norm1.Forward(e, s.xn, b.X, n)
	b.queries(e, st)
	if b.Parallel {
		b.feed(e, b.X, n)
	}
	b.attend(st)
	b.join(e, b.mid, b.X, b.O, b.att, b.norms.post1, b.Kept.post1, n)
	if !b.Parallel {
		b.feed(e, b.mid, n)
	}
}

// Backward turns dx, the gradient of y, into that of x, in place, and adds to the
// gradients of the weights. It uses up what Forward kept.
func (b *Block) Backward(e Exec, dx []float32, st *Stream) {
	n, s := len(st.Tokens), b.scratch
	b.activate(e, n) // cheaper to compute again than to keep
	b.Down.Backward(e, s.dact, b.joinBackward(e, dx, b.norms.post2, b.Kept.post2, n), s.act, n)
	b.activateBackward(e, n) // act = Act(gate)·up
	if !b.Parallel {
		b.feedBackward(e, dx, b.mid, n) // dx holds the residual's part
	}
	b.O.Backward(e, s.datt, b.joinBackward(e, dx, b.norms.post1, b.Kept.post1, n), b.att, n)
	if b.Parallel {
		b.feedBackward(e, dx, b.X, n)
	}
	s.Attention.Backward(b.Rule, st.Segments, s.dqkv, s.datt, b.att, b.lse, b.qkv)
	b.queriesBackward(e, st)
	b.norm1.Forward(e, s.xn, b.X, n) // again
	b.QKV.Backward(e, s.dxn, s.dqkv, s.xn, n)
	b.norm1.Backward(e, dx, s.dxn, b.X, n) // xn = norm1(x)
}
