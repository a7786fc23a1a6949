package pretrain

import (
	"fmt"
	"time"

	"outcrop.dev/outcrop/engine/train"
)

// smoothing is the weight of the past in the running means of a step line.
const smoothing = 0.9

// progress writes a line for each step.
type progress struct {
	*run
	corpus, instruct []train.Example // validation
	last             time.Time       // end of the last step
	loss, speed      float64         // running means: nats, tokens a second
	validation       string
}

func newProgress(r *run) *progress {
	return &progress{
		run: r, last: r.env.Now(),
		corpus:   r.data.corpusVal.examples(r.ValidationTokens),
		instruct: r.data.instructVal.examples(r.ValidationTokens),
	}
}

// step logs a finished step, and validates when it is time.
func (p *progress) step(r train.Result) error {
	seconds := p.env.Now().Sub(p.last).Seconds()
	p.loss = mean(p.loss, r.Loss)
	p.speed = mean(p.speed, float64(r.Tokens)/max(seconds, 1e-9))
	if r.Step%p.ValidateEvery == 0 || r.Step == p.Steps {
		if err := p.validate(); err != nil {
			return err
		}
	}
	left := float64(p.Steps-r.Step) * float64(p.BatchTokens) / p.speed
	fmt.Fprintf(p.env.Log, "%s step %d/%d loss %.4f mean %.4f norm %.3f rate %.2e%s %.0f tokens/s ETA %s\n",
		p.env.Now().UTC().Format(time.TimeOnly), r.Step, p.Steps, r.Loss, p.loss, r.GradNorm, r.Rate, p.validation, p.speed,
		time.Duration(left*float64(time.Second)).Round(time.Second))
	p.validation = ""
	p.last = p.env.Now()
	return nil
}

func (p *progress) validate() error {
	corpus, corpusBits, err := p.run.validate(p.corpus)
	if err != nil {
		return err
	}
	instruct, instructBits, err := p.run.validate(p.instruct)
	p.validation = fmt.Sprintf(" validation corpus %.4f (%.4f bits/byte) instruct %.4f (%.4f bits/byte)", corpus, corpusBits, instruct, instructBits)
	return err
}

func mean(old, x float64) float64 {
	if old == 0 {
		return x
	}
	return smoothing*old + (1-smoothing)*x
}
