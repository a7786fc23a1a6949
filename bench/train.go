package bench

import (
	"fmt"

	"outcrop.dev/outcrop/model"
	"outcrop.dev/outcrop/tensor/roofline"
	"outcrop.dev/outcrop/train"
)

// TrainReport is the speed of training steps: forward, backward, clipping and AdamW.
type TrainReport struct {
	Shape           Shape
	Kernel          string
	Threads         int
	Steps           int
	TokensPerSecond float64 // of the median step
	Best            float64 // tokens a second of the fastest step
	FLOPS           float64 // of the median step, 6 a weight and token, and attention
	PeakFLOPS       float64 // what the kernel's multiply-add reaches on registers
	PeakRSS         int64   // bytes
}

// String is three lines for a person.
func (r TrainReport) String() string {
	c := r.Shape.Model
	return fmt.Sprintf("train %s (%s; %.1fM weights), %d documents of %d tokens a step, kernel %s, %d threads\n"+
		"  %.0f tokens/s (median of %d steps; best %.0f), %.1f GFLOP/s, %.0f%% of the %.0f GFLOP/s that the kernel reaches on registers\n"+
		"  peak memory %.0f MiB",
		r.Shape.Name, r.Shape.About, float64(c.Params())/1e6, r.Shape.Rows, r.Shape.Length, r.Kernel, r.Threads,
		r.TokensPerSecond, r.Steps, r.Best, r.FLOPS/1e9, 100*r.FLOPS/r.PeakFLOPS, r.PeakFLOPS/1e9,
		float64(r.PeakRSS)/(1<<20))
}

// Train measures full fine-tuning of s. Errors: no memory.
func Train(e Env, s Shape) (TrainReport, error) {
	m, err := model.New(s.Model, e.Exec)
	if err != nil {
		return TrainReport{}, err
	}
	defer m.Close()
	m.Init(seed)
	rows := make(train.Repeat, s.Rows)
	tokens := randomTokens(s.Rows*s.Length+1, s.Model.Vocab)
	for i := range rows {
		rows[i] = train.NewExample(tokens[i*s.Length:(i+1)*s.Length+1], 0)
	}
	const steps = 1 << 30 // the schedule must not end
	o := train.FineTune(steps, 1e-5, 0)
	o.MicroTokens = s.Rows * s.Length
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
		Shape: s, Kernel: e.Exec.Kernel.Name(), Threads: e.Exec.Pool.Threads(), Steps: len(times),
		TokensPerSecond: perStep / median(times), Best: perStep / times[0],
		FLOPS:     perStep * s.Model.FLOPs(s.Length) / median(times),
		PeakFLOPS: roofline.FLOPS(e.Now, e.Exec.Pool, e.Exec.Kernel), PeakRSS: peakRSS(),
	}, nil
}
