package job

import (
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/attempt"
)

// phases returns a job's phases in their order.
func phases(j *outcrop.Job) []*outcrop.Phase {
	return []*outcrop.Phase{&j.Validation, &j.DataProcessing, &j.Training}
}

var phaseIndex = map[string]int{attempt.PhaseValidation: 0, attempt.PhaseDataProcessing: 1, attempt.PhaseTraining: 2}

// reach marks the phases before the named one as completed, and it as under way. A later
// phase that has begun stays so: an attempt that starts again from a checkpoint passes the
// earlier ones once more, and nobody should see a job go backwards.
func reach(j *outcrop.Job, phase string, at time.Time) {
	all := phases(j)
	current := phaseIndex[phase]
	for i, p := range all {
		if i > current && begun(p) {
			current = i
		}
	}
	for i, p := range all {
		switch {
		case i < current:
			set(p, outcrop.PhaseCompleted, at)
		case i == current && j.Status == outcrop.JobStopping:
			set(p, outcrop.PhaseStopping, at)
		case i == current:
			set(p, outcrop.PhaseInProgress, at)
		case p.Status == "":
			set(p, outcrop.PhaseNotStarted, at)
		}
	}
}

// stopping marks the phase that is under way as being stopped.
func stopping(j *outcrop.Job, at time.Time) {
	for _, p := range phases(j) {
		if p.Status == outcrop.PhaseInProgress {
			set(p, outcrop.PhaseStopping, at)
		}
	}
}

// finish ends the phase that is under way as the job ends: in status, which is
// PhaseCompleted, PhaseStopped or PhaseFailed.
func finish(j *outcrop.Job, status outcrop.PhaseStatus, at time.Time) {
	for _, p := range phases(j) {
		switch {
		case status == outcrop.PhaseCompleted || p.Status == outcrop.PhaseInProgress || p.Status == outcrop.PhaseStopping:
			set(p, status, at)
		case p.Status == "":
			set(p, outcrop.PhaseNotStarted, at)
		}
	}
}

func begun(p *outcrop.Phase) bool {
	return p.Status != "" && p.Status != outcrop.PhaseNotStarted
}

func set(p *outcrop.Phase, status outcrop.PhaseStatus, at time.Time) {
	if p.Status == status {
		return
	}
	if p.Created.IsZero() {
		p.Created = at
	}
	p.Status, p.Updated = status, at
}
