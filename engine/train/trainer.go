package train

import (
	"fmt"
	"math"

	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/engine/tensor/adamw"
)

// Diverged is the error of a run whose loss or gradient is not a finite number any more. The
// weights are those before the step; they must not be saved as a result.
type Diverged struct {
	Step int // from 0
	What string
}

// Error says which number was not finite and what to try.
func (d *Diverged) Error() string {
	return fmt.Sprintf("step %d: the %s is not a finite number: the training has diverged; try a smaller learning rate", d.Step+1, d.What)
}

// Result is what is known of a finished step.
type Result struct {
	Step     int     `json:"step"` // counted from 1
	Loss     float64 `json:"loss"` // mean over the trained tokens, nats
	Trained  int     `json:"trained"`
	Tokens   int     `json:"tokens"` // read
	GradNorm float64 `json:"grad_norm"`
	Rate     float64 `json:"learning_rate"`
}

// Trainer fits one model. Its methods must not run at the same time.
type Trainer struct {
	model   *model.Model
	source  Source
	options Options
	opt     *optimizer
	step    int // finished
	history []Result
	batch   model.Batch
	onDisk  string // the checkpoint that was written or restored last; "" for none
}

// New returns a trainer for m, and plans m's memory for it: longest is the number of tokens
// of the longest example, of validation too. Errors: an option out of range, no memory.
func New(m *model.Model, source Source, longest int, o Options) (*Trainer, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if err := m.Plan(budget(longest, o)); err != nil {
		return nil, err
	}
	opt, err := newOptimizer(m)
	if err != nil {
		return nil, err
	}
	return &Trainer{model: m, source: source, options: o, opt: opt}, nil
}

// Close releases the memory of the optimizer; the model stays.
func (t *Trainer) Close() error { return t.opt.arena.Close() }

// Steps returns how many steps are finished.
func (t *Trainer) Steps() int { return t.step }

// Done tells whether all steps are finished.
func (t *Trainer) Done() bool { return t.step >= t.options.Steps }

// History returns the results of all finished steps, those before a Restore too.
func (t *Trainer) History() []Result { return t.history }

// Step runs the next step: its examples forward and backward, the gradient clipped, the
// weights updated. Errors: *Diverged, or an example that does not fit the model.
func (t *Trainer) Step() (Result, error) {
	examples := t.source.Examples(t.step)
	r := Result{Step: t.step + 1, Rate: t.options.LearningRate * t.options.Schedule(t.step)}
	for _, e := range examples {
		r.Tokens += len(e.Tokens)
		for _, target := range e.Targets {
			if target >= 0 {
				r.Trained++
			}
		}
	}
	if r.Trained > 0 {
		if err := t.accumulate(examples, &r); err != nil {
			return Result{}, err
		}
		t.opt.step(t.hyper(r))
	}
	t.step++
	t.history = append(t.history, r)
	return r, nil
}

// accumulate fills in the loss and the norm of the gradient of a step.
func (t *Trainer) accumulate(examples []Example, r *Result) error {
	var loss model.Loss
	scale := 1 / float32(r.Trained)
	t.model.BeginStep(t.step)
	err := t.batches(examples, func(b *model.Batch) error {
		l, err := t.model.Accumulate(b, scale)
		loss.Add(l)
		return err
	})
	if err == nil {
		r.Loss, r.GradNorm = loss.Mean(), t.opt.gradNorm()
		switch {
		case !finite(r.Loss):
			err = &Diverged{t.step, "loss"}
		case !finite(r.GradNorm):
			err = &Diverged{t.step, "gradient"}
		}
	}
	if err != nil {
		t.model.ZeroGrad()
	}
	return err
}

func (t *Trainer) hyper(r Result) adamw.Hyper {
	o, scale := t.options, 1.0
	if r.GradNorm > o.Clip {
		scale = o.Clip / r.GradNorm
	}
	return adamw.Hyper{
		LR: float32(r.Rate), Beta1: float32(o.Beta1), Beta2: float32(o.Beta2), Eps: float32(o.Eps),
		WeightDecay: float32(o.WeightDecay), GradScale: float32(scale),
	}.At(t.step + 1)
}

// Evaluate returns the loss of the examples under the weights as they are. A loss that is
// not finite is *Diverged.
func (t *Trainer) Evaluate(examples []Example) (model.Loss, error) {
	var loss model.Loss
	err := t.batches(examples, func(b *model.Batch) error {
		l, err := t.model.Evaluate(b)
		loss.Add(l)
		return err
	})
	if err == nil && !finite(loss.Sum) {
		err = &Diverged{t.step, "validation loss"}
	}
	return loss, err
}

// Exact returns how many of the examples the model answers exactly: greedy decoding gives their
// targets, each and every one, under the weights as they are.
func (t *Trainer) Exact(examples []Example) (int, error) {
	exact := 0
	err := t.batches(examples, func(b *model.Batch) error {
		n, err := t.model.Exact(b)
		exact += n
		return err
	})
	return exact, err
}

// batches packs the examples, in order, into batches of at most MicroTokens tokens.
func (t *Trainer) batches(examples []Example, f func(*model.Batch) error) error {
	if between := t.options.Between; between != nil {
		work := f
		f = func(b *model.Batch) error {
			if err := work(b); err != nil {
				return err
			}
			return between()
		}
	}
	t.batch.Reset()
	for _, e := range examples {
		if n := len(t.batch.Tokens); n > 0 && n+len(e.Tokens) > t.options.MicroTokens {
			if err := f(&t.batch); err != nil {
				return err
			}
			t.batch.Reset()
		}
		t.batch.Add(e.Tokens, e.Targets)
	}
	if len(t.batch.Tokens) == 0 {
		return nil
	}
	return f(&t.batch)
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
