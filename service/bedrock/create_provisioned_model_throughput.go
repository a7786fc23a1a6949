package bedrock

import (
	"context"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/service/internal/resource"
)

// CreateProvisionedModelThroughput reserves capacity for a model: a completed custom model,
// or a foundation model. The row is left in Creating; whoever loads models carries it on.
func (s *Service) CreateProvisionedModelThroughput(ctx context.Context, in *CreateProvisionedModelThroughputInput) (*CreateProvisionedModelThroughputOutput, error) {
	tags, err := tagsOf(in.Tags)
	if err != nil {
		return nil, err
	}
	// The operation's model lists no ConflictException.
	request, err := resource.RequestOf(in, in.ClientRequestToken, outcrop.CodeValidation)
	if err != nil {
		return nil, err
	}
	arn, err := throughputs.Created(ctx, s.store, request)
	if arn == "" && err == nil {
		arn, err = s.createThroughput(ctx, in, tags, request)
	}
	if err != nil {
		return nil, err
	}
	return &CreateProvisionedModelThroughputOutput{ProvisionedModelArn: string(arn)}, nil
}

// createThroughput returns the ARN of the throughput that a request asks for, which is another's
// if an equal request, sent at the same time, was faster.
func (s *Service) createThroughput(ctx context.Context, in *CreateProvisionedModelThroughputInput, tags map[string]string, request resource.Request) (outcrop.ARN, error) {
	sc, err := resource.Scope(ctx)
	if err != nil {
		return "", err
	}
	m, err := s.models.Find(ctx, sc, in.ModelId)
	if err != nil {
		return "", err
	}
	t := s.newThroughput(in, m, tags)
	t.Request = request.Fingerprint
	return throughputs.Create(ctx, s.store, t, request, s.checkThroughputAdmission, checkServable)
}
