package bench

import (
	"fmt"
	"strings"

	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/engine/tensor/roofline"
	"outcrop.dev/outcrop/engine/train"
)

// TrainReport is the speed of training steps: forward, backward, clipping and AdamW.
type TrainReport struct {
	Shape           Shape
	Method          string
	Kernel          string
	Threads         int
	Steps           int
	TokensPerSecond float64 // of the median step
	Best            float64 // tokens a second of the fastest step
	FLOPS           float64 // of the median step: 6 a weight and token, 4 with LoRA, and attention
	PeakFLOPS       float64 // what the kernel's multiply-add reaches on registers
	PeakRSS         int64   // bytes
}

// String is three lines for a person.
func (r TrainReport) String() string {
	c := r.Shape.Model
	return fmt.Sprintf("train %s (%s; %.1fM weights), %s, %d documents of %d tokens a step, kernel %s, %d threads\n"+
		"  %.0f tokens/s (median of %d steps; best %.0f), %.1f GFLOP/s, %.0f%% of the %.0f GFLOP/s that the kernel reaches on registers\n"+
		"  peak memory %.0f MiB",
		r.Shape.Name, r.Shape.About, float64(c.Params())/1e6, r.Method, r.Shape.Rows, r.Shape.Length, r.Kernel, r.Threads,
		r.TokensPerSecond, r.Steps, r.Best, r.FLOPS/1e9, 100*r.FLOPS/r.PeakFLOPS, r.PeakFLOPS/1e9,
		float64(r.PeakRSS)/(1<<20))
}

// The methods of training.
const (
	Full = "full"
	LoRA = "lora" // of rank 16 on every linear layer
)

// Methods are those that can be named.
var Methods = []string{Full, LoRA}

// lowRank is what LoRA measures.
var lowRank = model.LoRA{Rank: 16, Alpha: 32, Seed: seed}

// microTokens is how many tokens of a step of LoRA go through the model at a time, as a job's
// hyperparameter microBatchTokens may ask. The activations are most of what LoRA takes in
// memory, and there is no pass over gradients and moments of weights that more would share.
const microTokens = 1024

// Train measures fine-tuning of s with a method. Errors: the method is not known; no memory.
func Train(e Env, s Shape, method string) (TrainReport, error) {
	m, err := trained(e, s, method)
	if err != nil {
		return TrainReport{}, err
	}
	defer m.Close()
	rows := make(train.Repeat, s.Rows)
	tokens := randomTokens(s.Rows*s.Length+1, s.Model.Vocab)
	for i := range rows {
		rows[i] = train.NewExample(tokens[i*s.Length:(i+1)*s.Length+1], 0)
	}
	const steps = 1 << 30 // the schedule must not end
	o := train.FineTune(steps, 1e-5, 0)
	o.MicroTokens = min(o.MicroTokens, s.Rows*s.Length)
	if method == LoRA {
		o.MicroTokens = min(o.MicroTokens, max(s.Length, microTokens))
	}
	t, err := train.New(m, rows, s.Length, o)
	if err != nil {
		return TrainReport{}, err
	}
	defer t.Close()
	times, err := e.measure(func() error { _, err := t.Step(); return err })
	if err != nil {
		return TrainReport{}, err
	}
	perStep := float64(s.Rows * s.Length)
	return TrainReport{
		Shape: s, Method: method, Kernel: e.Exec.Kernel.Name(), Threads: e.Exec.Pool.Threads(), Steps: len(times),
		TokensPerSecond: perStep / median(times), Best: perStep / times[0],
		FLOPS:     perStep * flops(s, method) / median(times),
		PeakFLOPS: roofline.FLOPS(e.Now, e.Exec.Pool, e.Exec.Kernel), PeakRSS: peakRSS(),
	}, nil
}

// trained returns a model with random weights, prepared for a method.
func trained(e Env, s Shape, method string) (*model.Model, error) {
	switch method {
	case Full:
		m, err := model.New(s.Model, e.Exec)
		if err == nil {
			m.Init(seed)
		}
		return m, err
	case LoRA:
		m, err := model.NewFrozen(s.Model, e.Exec)
		if err != nil {
			return nil, err
		}
		m.Init(seed)
		return m, m.AddLoRA(lowRank)
	}
	return nil, fmt.Errorf("method %q is not known: use one of %s", method, strings.Join(Methods, ", "))
}

// flops returns the operations of training on one token. With LoRA a third of those that
// the weights take is not done, the gradient of the weights; the adapters' own, some
// hundredths, are not counted.
func flops(s Shape, method string) float64 {
	f := s.Model.FLOPs(s.Length)
	if method == LoRA {
		f -= s.Model.FLOPs(0) / 3
	}
	return f
}
