package customize

import (
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/work/attempt"
)

// phases returns a job's phases in their order.
func phases(j *outcrop.Job) []*outcrop.Phase {
	return []*outcrop.Phase{&j.Validation, &j.DataProcessing, &j.Training}
}

var phaseIndex = map[string]int{attempt.PhaseValidation: 0, attempt.PhaseDataProcessing: 1, attempt.PhaseTraining: 2}

// reach marks the phases before the named one, "" for the first, as completed, and it as under way,
// or as being stopped if the job is. A later phase that has begun stays so: an attempt that starts
// again from a checkpoint passes the earlier ones once more, and nobody should see a job go
// backwards.
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

// finish ends the phase that is under way as the job has ended: a phase's last states are called as
// the job's are.
func finish(j *outcrop.Job, at time.Time) {
	status := outcrop.PhaseStatus(j.Status)
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
