// Package customize is the work that a model customization job stands for: what its attempts are
// told, where the models go that they make, and what the job's owner reads when there are none. It
// is work.Rules of outcrop.Job. It knows neither how a model is trained nor how a process is
// started.
package customize

import (
	"context"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/work"
	"outcrop.dev/outcrop/work/attempt"
)

// Kind returns the work on model customization jobs. digest is that of a base model, as a job's worker
// takes it (attempt.Client.UseBase), from its directory and, of adapters, their base's, else "".
func Kind(digest func(dir, baseDir string) (string, error)) func(work.Site) work.Kind {
	return func(s work.Site) work.Kind {
		return work.Processes(s.Attempts, Rules{Files: s.Files, ModelDir: s.ModelDir, Bases: NewBases(digest)})
	}
}

// Rules are those of model customization jobs.
type Rules struct {
	// Files finds a job's base model by its BaseModelID. CodeNotFound if there is none any more.
	Files    func(ctx context.Context, model string) (outcrop.ModelFiles, error)
	ModelDir func(id string) string // absolute; where a custom model is published
	Bases    *Bases                 // nil: a base model that is replaced under a job is found at the job's end
}

var _ work.Rules[*outcrop.Job] = Rules{}

// Noun implements work.Rules.
func (Rules) Noun() outcrop.Kind { return outcrop.KindJob }

// Of implements work.Rules.
func (Rules) Of(r outcrop.Record) (*outcrop.Job, error) { return outcrop.JobOf(r) }

// Spec implements work.Rules.
func (r Rules) Spec(ctx context.Context, j *outcrop.Job) (attempt.Spec, error) {
	base, err := r.Files(ctx, j.BaseModelID)
	if err != nil {
		return attempt.Spec{}, err
	}
	return attempt.Spec{Customization: attempt.Customization{
		CustomizationType: j.CustomizationType, BaseModelID: j.BaseModelID,
		ModelDir: base.Dir, BaseDir: base.BaseDir, ContextLength: base.ContextLength,
		HyperParameters: j.HyperParameters, Train: j.Train,
	}}, nil
}

// Grant implements work.Rules.
func (Rules) Grant(j *outcrop.Job) attempt.Grant {
	return attempt.Grant{TrainingURI: j.TrainingURI, ValidationURIs: j.ValidationURIs, OutputPrefix: j.OutputPrefix(), Inputs: j.Inputs}
}

// Base implements work.Rules.
func (r Rules) Base(ctx context.Context, j *outcrop.Job) string {
	if r.Bases == nil {
		return ""
	}
	files, err := r.Files(ctx, j.BaseModelID)
	if err != nil {
		return "" // a model that is gone is no other one
	}
	return r.Bases.Digest(files)
}

// Mark implements work.Rules: what a job shows of its way are its three phases.
func (Rules) Mark(j *outcrop.Job, phase string, at time.Time) {
	if j.Terminal() {
		finish(j, at)
		return
	}
	reach(j, phase, at)
}

// Bill implements work.Rules: what is paid for is what was trained.
func (Rules) Bill(j *outcrop.Job) (u outcrop.Usage, ok bool) {
	return outcrop.Usage{
		At: j.EndTime, Scope: j.Scope, Resource: j.ARN, Operation: "ModelCustomizationJob", TrainingTokens: j.Progress.Tokens, Once: true,
	}, j.Progress.Tokens > 0
}
