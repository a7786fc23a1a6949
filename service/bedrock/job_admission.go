package bedrock

import (
	"context"
	"slices"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/service/internal/resource"
)

// checkAdmission checks a new job against the jobs and models there are: the names must be free
// and the quotas not used up.
func (s *Service) checkAdmission(ctx context.Context, r outcrop.Reader, job *outcrop.Job) error {
	name := outcrop.Key{Kind: outcrop.KindJob, Scope: job.Scope, Ref: job.Name}
	if err := resource.CheckFree(ctx, r, name, errInvalid("The provided job name is currently in use.")); err != nil {
		return err
	}
	live, err := liveJobs(ctx, r, job.Scope)
	if err != nil {
		return err
	}
	if err := resource.CheckQuota(len(live)+1, s.quotas.JobsInProgress, "jobs in progress", "Wait until one has ended, or stop one."); err != nil {
		return err
	}
	if err := checkModelNames(ctx, r, job, live); err != nil {
		return err
	}
	models, err := customModels.All(ctx, r, job.Scope)
	if err != nil {
		return err
	}
	return resource.CheckQuota(len(models)+modelsOf(append(live, job)...), s.quotas.CustomModels,
		"custom models, counting those of the jobs in progress and this one's", "Delete one with DeleteCustomModel.")
}

// checkBaseThere refuses a job whose base model has been deleted.
func checkBaseThere(ctx context.Context, r outcrop.Reader, job *outcrop.Job) error {
	return resource.CheckThere(ctx, r, outcrop.ARN(job.Parent))
}

// modelsOf returns how many models jobs will make.
func modelsOf(jobs ...*outcrop.Job) (n int) {
	for _, j := range jobs {
		n += 1 + min(j.Train.KeepCheckpoints, len(j.CheckpointEpochs()))
	}
	return n
}

// modelNames returns the names of all models that a job may make.
func modelNames(j *outcrop.Job) []string {
	names := []string{j.CustomModelName}
	for _, epoch := range j.CheckpointEpochs() {
		names = append(names, j.CheckpointName(epoch))
	}
	return names
}

// checkModelNames checks that neither a model nor a job that will make one has a name of the
// job's models.
func checkModelNames(ctx context.Context, r outcrop.Reader, job *outcrop.Job, live []*outcrop.Job) error {
	names := modelNames(job)
	for _, name := range names {
		key := outcrop.Key{Kind: outcrop.KindCustomModel, Scope: job.Scope, Ref: name}
		if err := resource.CheckFree(ctx, r, key, errModelName(job, name)); err != nil {
			return err
		}
	}
	for _, other := range live {
		for _, name := range modelNames(other) {
			if slices.Contains(names, name) {
				return errModelName(job, name)
			}
		}
	}
	return nil
}

// errModelName returns the error for a name, of a model that job would make, that is taken.
func errModelName(job *outcrop.Job, name string) error {
	if name == job.CustomModelName {
		return errInvalid("The provided custom model name is currently in use.")
	}
	return errInvalid("The name %s, which keepCheckpoints would give to a checkpoint of the model, is currently in use. Choose another customModelName.", name)
}
