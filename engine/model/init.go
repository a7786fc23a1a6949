package model

import (
	"math"
	"math/rand/v2"

	"outcrop.dev/outcrop/engine/nn"
)

// Init draws the weights of a model that is to be trained from nothing: normal with
// standard deviation 0.02, that of the two projections into the residual stream divided by
// √(2·layers) (Radford et al. 2019, "Language Models are Unsupervised Multitask Learners",
// 2.3); norms are such that they do nothing, biases are zero. The same seed gives the same weights.
func (m *Model) Init(seed uint64) {
	const std = 0.02
	residual := std / math.Sqrt(2*float64(m.Layers))
	for i, p := range m.params {
		fillNormal(p, rand.New(rand.NewPCG(seed, uint64(i))), std)
	}
	for i, l := range m.weights.layers {
		fillNormal(l.O.W, rand.New(rand.NewPCG(seed, uint64(1<<32+2*i))), residual)
		fillNormal(l.Down.W, rand.New(rand.NewPCG(seed, uint64(1<<32+2*i+1))), residual)
	}
	for _, p := range m.params {
		if p.Vector {
			for i := range p.W {
				p.W[i] = p.Start
			}
		}
	}
}

func fillNormal(p *nn.Param, r *rand.Rand, std float64) {
	for i := range p.Len() {
		p.Set(i, float32(r.NormFloat64()*std))
	}
}
