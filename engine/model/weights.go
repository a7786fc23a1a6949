package model

import "outcrop.dev/outcrop/engine/nn"

// weights are the parameters of a decoder.
type weights struct {
	embed     *nn.Param
	positions *nn.Param // (Context,C) learned positions; nil where they are rotary
	layers    []nn.Weights
	norm      nn.Affine
	head      *nn.Param // embed if tied
}

// all returns every parameter once, in the order of the forward pass.
func (w *weights) all() []*nn.Param {
	ps := []*nn.Param{w.embed}
	if w.positions != nil {
		ps = append(ps, w.positions)
	}
	for i := range w.layers {
		ps = append(ps, w.layers[i].Params()...)
	}
	ps = append(ps, w.norm.W)
	if w.norm.Bias != nil {
		ps = append(ps, w.norm.Bias)
	}
	if w.head != w.embed {
		ps = append(ps, w.head)
	}
	return ps
}

// piece is one of several tensors of a file that make up a linear layer.
type piece struct {
	name string // without .weight or .bias
	rows int
}

// stacked returns a linear layer of matrices that the file keeps apart and that one product
// computes, one after another. name is that of the stack, which is in no file.
func stacked(name string, in int, bias bool, pieces ...piece) nn.Linear {
	rows := 0
	var matrices, biases []nn.Part
	for _, p := range pieces {
		rows += p.rows
		matrices = append(matrices, nn.Part{Name: p.name + ".weight", Rows: p.rows})
		biases = append(biases, nn.Part{Name: p.name + ".bias", Rows: p.rows})
	}
	l := nn.Linear{W: nn.NewParam(name+".weight", rows, in, matrices...)}
	if bias {
		l.Bias = nn.NewBias(name+".bias", rows, biases...)
	}
	return l
}

// linear returns a linear layer as the file has it.
func linear(name string, out, in int, bias bool) nn.Linear {
	l := nn.Linear{W: nn.NewParam(name+".weight", out, in)}
	if bias {
		l.Bias = nn.NewBias(name+".bias", out)
	}
	return l
}

// rmsNorm returns the weights of a norm that begin at start.
func rmsNorm(name string, n int, start float32) nn.Affine {
	w := nn.NewVector(name+".weight", n)
	w.Start = start
	return nn.Affine{W: w}
}

// layerNorm returns the weights and the bias of a norm.
func layerNorm(name string, n int) nn.Affine {
	return nn.Affine{W: nn.NewVector(name+".weight", n), Bias: nn.NewBias(name+".bias", n)}
}
