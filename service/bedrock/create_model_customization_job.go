package bedrock

import (
	"context"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/service/internal/resource"
)

// CreateModelCustomizationJob checks the request, the files it names and every row of its
// data, and writes the job's row, which is its place in the queue. Nothing that can be known
// now is left for the job to fail on.
func (s *Service) CreateModelCustomizationJob(ctx context.Context, in *CreateModelCustomizationJobInput) (*CreateModelCustomizationJobOutput, error) {
	if err := checkSupported(in); err != nil {
		return nil, err
	}
	request, err := resource.RequestOf(in, in.ClientRequestToken, outcrop.CodeConflict)
	if err != nil {
		return nil, err
	}
	arn, err := jobs.Created(ctx, s.store, request)
	if arn == "" && err == nil {
		arn, err = s.createJob(ctx, in, request)
	}
	if err != nil {
		return nil, err
	}
	return &CreateModelCustomizationJobOutput{JobArn: string(arn)}, nil
}

// createJob returns the ARN of the job that a request asks for, which is another's if an equal
// request, sent at the same time, was faster.
func (s *Service) createJob(ctx context.Context, in *CreateModelCustomizationJobInput, request resource.Request) (outcrop.ARN, error) {
	sc, err := resource.Scope(ctx)
	if err != nil {
		return "", err
	}
	base, err := s.models.Find(ctx, sc, in.BaseModelIdentifier)
	if err != nil {
		return "", err
	}
	job, err := s.newJob(in, base)
	if err != nil {
		return "", err
	}
	job.Request = request.Fingerprint
	if first, err := jobs.Admit(ctx, s.store, job, request, s.checkAdmission); first != "" || err != nil {
		return first, err // before the data are read: that takes a while
	}
	if err := s.checkJobData(ctx, job, base); err != nil {
		return "", err
	}
	if err := checkAdapters(base, job.Train); err != nil {
		return "", err // the method was chosen with the data
	}
	if base, err = s.models.Find(ctx, sc, job.BaseModelID); err != nil {
		return "", err // it was deleted while the data were read
	}
	arn, err := jobs.Create(ctx, s.store, job, request, s.checkAdmission, checkBaseThere)
	if arn == job.ARN && err == nil {
		s.log.InfoContext(ctx, "job created", "job", job.ARN, "name", job.Name, "base", job.BaseModelID, "served by", base.Foundation.Description)
	}
	return arn, err
}
