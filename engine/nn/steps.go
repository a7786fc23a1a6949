package nn

import "outcrop.dev/outcrop/engine/tensor/rope"

// The steps of a block, each with its way back.

// queries sets qkv from the output of the first norm.
func (b *Block) queries(e Exec, st *Stream) {
	n, a := len(st.Tokens), b.scratch.Attention
	b.QKV.Forward(e, b.qkv, b.scratch.xn, n, false)
	if b.q != nil {
		if b.heads != nil {
			copyRows(e, b.heads, b.qkv, n, a.Width())
		}
		b.q.ForwardHeads(e, b.qkv, n, a.Heads, a.Width())
		b.k.ForwardHeads(e, b.qkv[a.Heads*a.HeadSize:], n, a.KVHeads, a.Width())
	}
	b.rotate(e, b.qkv, st, rope.Rotate)
}

// queriesBackward turns dqkv into the gradient of the product with QKV, in place.
func (b *Block) queriesBackward(e Exec, st *Stream) {
	n, s, a := len(st.Tokens), b.scratch, b.scratch.Attention
	b.rotate(e, s.dqkv, st, rope.RotateBackward) // qkv = rope(norm(xn·QKVᵀ))
	if b.q == nil {
		return
	}
	width, keys, values := a.Width(), a.Heads*a.HeadSize, (a.Heads+a.KVHeads)*a.HeadSize
	copyRows(e, s.dheads, s.dqkv, n, width)
	e.rows(n, func(_, from, to int) {
		for i := from; i < to; i++ {
			clear(s.dqkv[i*width : i*width+values])
		}
	})
	b.q.BackwardHeads(e, s.dqkv, s.dheads, b.heads, n, a.Heads, width) // qkv = norm(xn·QKVᵀ)
	b.k.BackwardHeads(e, s.dqkv[keys:], s.dheads[keys:], b.heads[keys:], n, a.KVHeads, width)
}

// rotate applies turn to the queries and keys of every row: to the first channels of each
// head, or to all.
func (b *Block) rotate(e Exec, qkv []float32, st *Stream, turn func(x, cos, sin []float32)) {
	if b.Rope == nil {
		return
	}
	a := b.scratch.Attention
	width, turned, d := a.Width(), (a.Heads+a.KVHeads)*a.HeadSize, a.HeadSize
	step, part := turned, turned
	if c := b.Rope.Channels(); c < d {
		step, part = d, c
	}
	e.rows(len(st.Tokens), func(_, from, to int) {
		for i := from; i < to; i++ {
			cos, sin := b.Rope.At(int(st.Positions[i]))
			row := qkv[i*width : i*width+turned]
			for at := 0; at < turned; at += step {
				turn(row[at:at+part], cos, sin)
			}
		}
	})
}

// attend sets att from qkv: in serving by way of the caches.
func (b *Block) attend(st *Stream) {
	if st.Runs != nil {
		b.scratch.Attention.ForwardCached(b.Rule, st.Runs, b.att, b.qkv)
		return
	}
	b.scratch.Attention.Forward(b.Rule, st.Segments, b.att, b.lse, b.qkv)
}

// feed sets gateUp and act from x, the feed-forward layer's input.
func (b *Block) feed(e Exec, x []float32, n int) {
	b.norm2.Forward(e, b.scratch.xn, x, n)
	b.GateUp.Forward(e, b.gateUp, b.scratch.xn, n, false)
	b.activate(e, n)
}

// feedBackward adds to dx the gradient of feed's x, given that of gateUp in its place.
func (b *Block) feedBackward(e Exec, dx, x []float32, n int) {
	s := b.scratch
	b.norm2.Forward(e, s.xn, x, n)                 // again
	b.GateUp.Backward(e, s.dxn, b.gateUp, s.xn, n) // gateUp = xn·GateUpᵀ
	b.norm2.Backward(e, dx, s.dxn, x, n)           // xn = norm2(x)
}

// activate sets act from gateUp.
func (b *Block) activate(e Exec, n int) {
	f, w := b.Down.W.Cols, b.GateUp.W.Rows
	e.rows(n, func(_, from, to int) {
		y, x := b.scratch.act[from*f:to*f], b.gateUp[from*w:to*w]
		if !b.Gated {
			b.Act.Forward(y, x)
			return
		}
		for i := range to - from {
			row := x[i*w : (i+1)*w]
			b.Act.Gated(y[i*f:(i+1)*f], row[:f], row[f:])
		}
	})
}

// activateBackward turns gateUp into its gradient, in place, given that of act.
func (b *Block) activateBackward(e Exec, n int) {
	f, w := b.Down.W.Cols, b.GateUp.W.Rows
	e.rows(n, func(_, from, to int) {
		d, x := b.scratch.dact[from*f:to*f], b.gateUp[from*w:to*w]
		if !b.Gated {
			b.Act.Backward(x, d, x)
			return
		}
		for i := range to - from {
			row := x[i*w : (i+1)*w]
			b.Act.GatedBackward(row[:f], row[f:], d[i*f:(i+1)*f], row[:f], row[f:])
		}
	})
}

// join sets y = x + norm(in·Wᵀ), where kept holds the product before the norm, or without a
// norm y = x + in·Wᵀ. y may be x.
func (b *Block) join(e Exec, y, x []float32, l Linear, in []float32, norm *Norm, kept []float32, n int) {
	c := l.W.Rows
	if norm == nil {
		copyRows(e, y, x, n, c)
		l.Forward(e, y, in, n, true)
		return
	}
	xn := b.scratch.xn
	l.Forward(e, kept, in, n, false)
	norm.Forward(e, xn, kept, n)
	e.rows(n, func(_, from, to int) {
		for i := from * c; i < to*c; i++ {
			y[i] = x[i] + xn[i]
		}
	})
}

// joinBackward returns the gradient of the product in·Wᵀ of join, given that of y: dy
// itself, or scratch. The gradient of x is dy.
func (b *Block) joinBackward(e Exec, dy []float32, norm *Norm, kept []float32, n int) []float32 {
	if norm == nil {
		return dy
	}
	c, d := norm.W.Cols, b.scratch.xn
	e.rows(n, func(_, from, to int) { clear(d[from*c : to*c]) })
	norm.Backward(e, d, dy, kept, n) // y = x + norm(in·Wᵀ)
	return d
}

// copyRows copies n rows of c. y may be x.
func copyRows(e Exec, y, x []float32, n, c int) {
	if n == 0 || &y[0] == &x[0] {
		return
	}
	e.rows(n, func(_, a, b int) { copy(y[a*c:b*c], x[a*c:b*c]) })
}
