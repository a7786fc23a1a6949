package work

import (
	"slices"
	"time"

	"outcrop.dev/outcrop/work/attempt"
)

// A worker that lives and gets nothing done is ended.
const (
	idleMax     = 10 * time.Minute // ProcessOptions.IdleMax's default
	idleSteps   = 10               // and this many of the work's own steps, where they are slow
	stacksGrace = 5                // heartbeats: so long a worker has to print its stacks
	stepsNoted  = 31               // of which the median is taken
	stallsMax   = 3                // attempts in a row that were ended so
)

// pulse is what the heartbeats of an attempt tell of its getting on. The zero value has heard nothing.
type pulse struct {
	newest attempt.Pulse
	heard  time.Time // when
	moved  attempt.Pulse
	since  time.Time // when Done was first heard as it is

	step   int
	began  time.Time // when the step was first heard of
	lasted []time.Duration
}

// beat takes a heartbeat in.
func (p *pulse) beat(h attempt.Heartbeat, now time.Time) {
	p.newest, p.heard = h.Pulse, now
	if p.since.IsZero() || h.Done != p.moved.Done {
		p.moved, p.since = h.Pulse, now
	}
	if step := h.Progress.Step; step != p.step || p.began.IsZero() {
		if step > p.step && p.step > 0 {
			p.note(now.Sub(p.began) / time.Duration(step-p.step))
		}
		p.step, p.began = step, now
	}
}

func (p *pulse) note(step time.Duration) {
	p.lasted = append(p.lasted, step)
	if len(p.lasted) > stepsNoted {
		p.lasted = p.lasted[1:]
	}
}

// idle returns for how long the worker has got nothing done though it had the CPU.
func (p *pulse) idle() time.Duration {
	if p.newest.Done == 0 {
		return 0 // a worker of an older program does not tell
	}
	return p.heard.Sub(p.since) - (p.newest.Starved - p.moved.Starved)
}

// patience returns how long it may: least, or more where the steps are slow.
func (p *pulse) patience(least time.Duration) time.Duration {
	if len(p.lasted) == 0 {
		return least
	}
	sorted := slices.Sorted(slices.Values(p.lasted))
	return max(least, idleSteps*sorted[len(sorted)/2])
}
