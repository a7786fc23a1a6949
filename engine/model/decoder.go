package model

import (
	"math"

	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/attention"
)

// decoder is the layers from the tokens to the last norm, the same in training and in
// serving, which differ in the memory that the blocks have and in what they keep.
type decoder struct {
	embed     nn.Embedding
	positions nn.Embedding // without W where positions are rotary
	ropes     ropes
	shapes    []nn.Shape // of the blocks
	blocks    []*nn.Block
	norm      *nn.Norm
	x         []float32 // (N,C) what the last block leaves
	again     bool      // the blocks share what they keep, so that it is computed again
}

// decoder returns the decoder without its blocks and without x, for up to n tokens of
// documents of up to longest, or longer ones after ropes.grow.
func (c Config) decoder(w *weights, n, longest int, alloc nn.Alloc) decoder {
	f, round := families[c.Family], c.DType == BFloat16
	shape := f.shape(c)
	shape.Norm.Eps = float32(c.NormEps)
	d := decoder{
		ropes: c.ropes(longest),
		embed: nn.Embedding{W: w.embed, Round: round},
		norm:  nn.NewNorm(w.norm, shape.Norm, n, 1, alloc(nn.PartLen(n, c.Hidden)), alloc),
	}
	d.shapes = c.shapes(shape, d.ropes)
	if f.embedScale != nil {
		d.embed.Scale = f.embedScale(c)
	}
	if w.positions != nil {
		d.positions = nn.Embedding{W: w.positions, Round: round}
	}
	return d
}

// shapes returns the shape of every block: s with the layer's window and table.
func (c Config) shapes(s nn.Shape, tables ropes) []nn.Shape {
	out := make([]nn.Shape, c.Layers)
	for i := range out {
		s.Rule = attention.Rule{Window: c.window(i)}
		scale := 1 / math.Sqrt(orNumber(c.QueryScale, float64(c.HeadSize)))
		if c.ScaleByLayer {
			scale /= float64(i + 1)
		}
		s.Rule.Scale = float32(scale)
		if s.Rope = tables.global; s.Rule.Window > 0 {
			s.Rope = tables.local
		}
		out[i] = s
	}
	return out
}

// forward takes the tokens of st up to the last block, which leaves x. enter, if not nil,
// is called before each block.
func (d *decoder) forward(e nn.Exec, st *nn.Stream, enter func(layer int)) {
	x := d.blocks[0].X
	d.embed.Forward(e, x, st.Tokens, false)
	if d.positions.W != nil {
		d.positions.Forward(e, x, st.Positions, true)
	}
	for i, block := range d.blocks {
		if enter != nil {
			enter(i)
		}
		y := d.x
		if i+1 < len(d.blocks) {
			y = d.blocks[i+1].X
		}
		block.Forward(e, y, st)
	}
}

// backward takes dx, the gradient of x, down to the embedding, adding to the gradients of
// the weights.
func (d *decoder) backward(e nn.Exec, dx []float32, st *nn.Stream) {
	last := len(d.blocks) - 1
	for i := last; i >= 0; i-- {
		if d.again && i < last { // the last one's is still there
			d.blocks[i].Again(e, d.blocks[i+1].X, st)
		}
		d.blocks[i].Backward(e, dx, st)
	}
	d.embed.Backward(e, dx, st.Tokens)
	if d.positions.W != nil {
		d.positions.Backward(e, dx, st.Positions)
	}
}

// roundBF16 rounds w as a bfloat16 file does.
func roundBF16(w []float32) {
	for i, x := range w {
		w[i] = tensor.ToBF16(x).Float32()
	}
}
