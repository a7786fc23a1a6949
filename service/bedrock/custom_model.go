package bedrock

import (
	"context"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/service/internal/resource"
)

var customModels = resource.Noun[*outcrop.CustomModel]{Kind: outcrop.KindCustomModel, Of: outcrop.CustomModelOf}

// checkUnused checks that nothing needs a model's files. What has it as parent does, as long as it
// is there, but for a job that has ended and a model that was made from it; and throughput is
// there for two models while it is updated.
func checkUnused(ctx context.Context, r outcrop.Reader, m *outcrop.CustomModel) error {
	return resource.CheckUnused(ctx, r, m, map[outcrop.Kind]resource.Rule[*outcrop.CustomModel]{
		outcrop.KindJob: checkNoJob, outcrop.KindCustomModel: checkNoAdapters, outcrop.KindThroughput: checkNotServed,
	})
}

func checkNoJob(ctx context.Context, r outcrop.Reader, m *outcrop.CustomModel) error {
	live, err := liveJobs(ctx, r, m.Scope)
	if err != nil {
		return err
	}
	for _, j := range live {
		if j.Parent == string(m.ARN) {
			return outcrop.Errorf(outcrop.CodeConflict, "The custom model %s is the base of the model customization job %s. Wait until that one has ended, or stop it.", m.Name, j.Name)
		}
	}
	return nil
}

func checkNoAdapters(ctx context.Context, r outcrop.Reader, m *outcrop.CustomModel) error {
	models, err := customModels.All(ctx, r, m.Scope)
	if err != nil {
		return err
	}
	for _, other := range models {
		if other.AdapterOf == string(m.ARN) {
			return outcrop.Errorf(outcrop.CodeConflict, "The custom model %s is needed by the adapters of the custom model %s. Delete that one first.", m.Name, other.Name)
		}
	}
	return nil
}

func checkNotServed(ctx context.Context, r outcrop.Reader, m *outcrop.CustomModel) error {
	all, err := throughputs.All(ctx, r, m.Scope)
	if err != nil {
		return err
	}
	for _, t := range all {
		if t.ModelARN == m.ARN || t.DesiredModelARN == m.ARN {
			return resource.ErrInUse(m.Meta, t.Meta)
		}
	}
	return nil
}
