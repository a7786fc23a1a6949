package bedrock

import (
	"context"

	"outcrop.dev/outcrop"
)

// StopModelCustomizationJob asks a job to stop; the one who works on it ends it. A job that
// is stopping already is left alone, so that a call can be sent again; one that has ended is
// a conflict.
func (s *Service) StopModelCustomizationJob(ctx context.Context, in *StopModelCustomizationJobInput) (*StopModelCustomizationJobOutput, error) {
	j, err := jobs.Get(ctx, s.store, in.JobIdentifier)
	if err != nil {
		return nil, err
	}
	if j.Status == outcrop.JobStopping {
		return &StopModelCustomizationJobOutput{}, nil
	}
	return &StopModelCustomizationJobOutput{}, jobs.Edit(ctx, s.store, string(j.ARN), s.stop)
}

// stop moves a job, and those of its phases that are under way, to Stopping.
func (s *Service) stop(j *outcrop.Job) error {
	if j.Terminal() {
		return outcrop.Errorf(outcrop.CodeConflict, "The model customization job %s is %s; only a job in progress can be stopped.", j.Name, j.Status)
	}
	j.Status = outcrop.JobStopping
	for _, p := range []*outcrop.Phase{&j.Validation, &j.DataProcessing, &j.Training} {
		if p.Status == outcrop.PhaseInProgress {
			p.Status, p.Updated = outcrop.PhaseStopping, s.now()
		}
	}
	return nil
}
