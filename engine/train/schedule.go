package train

import "math"

// Schedule returns the part of the peak learning rate that a step (from 0) takes.
type Schedule func(step int) float64

// Linear rises from 0 to 1 in warmup steps, then falls to 0 at step total: the last step's
// rate is above 0.
func Linear(warmup, total int) Schedule {
	return after(warmup, func(step int) float64 { return fall(step, max(warmup, 0), total) })
}

// Cosine rises from 0 to 1 in warmup steps, then falls to 0 at step total as half a cosine does
// (Loshchilov & Hutter 2016, arXiv:1608.03983, without restarts).
func Cosine(warmup, total int) Schedule {
	return after(warmup, func(step int) float64 {
		return (1 - math.Cos(math.Pi*fall(step, max(warmup, 0), total))) / 2
	})
}

// Constant rises from 0 to 1 in warmup steps and stays there.
func Constant(warmup int) Schedule {
	return after(warmup, func(int) float64 { return 1 })
}

// WSD rises in warmup steps, stays at 1, and falls to 0 in the last decay steps of total
// (warmup, stable, decay: Hu et al. 2024, arXiv:2404.06395, 4).
func WSD(warmup, decay, total int) Schedule {
	return after(warmup, func(step int) float64 {
		if step < total-decay {
			return 1
		}
		return fall(step, total-decay, total)
	})
}

// after rises to 1 in warmup steps; what comes then is rest.
func after(warmup int, rest Schedule) Schedule {
	return func(step int) float64 {
		if step < warmup {
			return float64(step+1) / float64(warmup)
		}
		return rest(step)
	}
}

// fall goes from 1 before step from to 0 at step to.
func fall(step, from, to int) float64 {
	if step >= to {
		return 0
	}
	return float64(to-step) / float64(to-from)
}
