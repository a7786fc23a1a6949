package train

import (
	"fmt"
	"math"

	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/adamw"
)

// chunkLen is how many weights one task takes: large enough to hide the task's cost, small
// enough to stay in the second level cache. It is fixed, so that the norm does not depend
// on threads.
const chunkLen = 1 << 15

// optimizer is AdamW over what a model trains.
type optimizer struct {
	pool   *tensor.Pool
	arena  *tensor.Arena
	params []*nn.Param
	m, v   [][]float32 // moments of each parameter
	chunks []chunk
	sums   []float64 // of each chunk
}

// chunk is the weights [from,to) of parameter param.
type chunk struct{ param, from, to int }

func newOptimizer(m *model.Model) (*optimizer, error) {
	const slack = 4096 // alignment of each slice
	o := &optimizer{pool: m.Exec().Pool, params: m.Trainable()}
	arena, err := tensor.NewArena(int(momentBytes(o.trained())) + 2*slack*len(o.params))
	if err != nil {
		return nil, fmt.Errorf("memory for the moments: %w", err)
	}
	o.arena = arena
	for i, p := range o.params {
		o.m, o.v = append(o.m, arena.F32(p.Len())), append(o.v, arena.F32(p.Len()))
		for from := 0; from < p.Len(); from += chunkLen {
			o.chunks = append(o.chunks, chunk{i, from, min(from+chunkLen, p.Len())})
		}
	}
	o.sums = make([]float64, len(o.chunks))
	return o, nil
}

// trained returns how many numbers are trained.
func (o *optimizer) trained() (n int) {
	for _, p := range o.params {
		n += p.Len()
	}
	return n
}

// gradNorm returns the norm of the whole gradient; NaN or Inf in it show.
func (o *optimizer) gradNorm() float64 {
	o.pool.For(len(o.chunks), func(i, _ int) {
		c := o.chunks[i]
		o.sums[i] = adamw.SumSquares(o.params[c.param].G[c.from:c.to])
	})
	var sum float64
	for _, s := range o.sums {
		sum += s
	}
	return math.Sqrt(sum)
}

// step updates the weights and sets the gradients to zero. h holds the step's numbers, of
// which the decay is for matrices only.
func (o *optimizer) step(h adamw.Hyper) {
	o.pool.For(len(o.chunks), func(i, _ int) {
		c := o.chunks[i]
		p, h := o.params[c.param], h
		if p.Vector {
			h.WeightDecay = 0
		}
		adamw.Step(p.W[c.from:c.to], p.G[c.from:c.to], o.m[c.param][c.from:c.to], o.v[c.param][c.from:c.to], h)
		clear(p.G[c.from:c.to])
	})
}
