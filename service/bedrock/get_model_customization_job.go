package bedrock

import "context"

// GetModelCustomizationJob returns a job by its name or ARN. outputModelArn appears when the
// job has completed; the losses of the training and of each validator as soon as there are
// any. How far it is, for which Bedrock has no member, is in the header X-Outcrop-Progress.
func (s *Service) GetModelCustomizationJob(ctx context.Context, in *GetModelCustomizationJobInput) (*GetModelCustomizationJobOutput, error) {
	j, err := jobs.Get(ctx, s.store, in.JobIdentifier)
	if err != nil {
		return nil, err
	}
	vpc, err := vpcConfig(j.VPCConfig)
	if err != nil {
		return nil, err
	}
	showProgress(ctx, j)
	return &GetModelCustomizationJobOutput{
		JobArn:               string(j.ARN),
		JobName:              j.Name,
		Status:               string(j.Status),
		StatusDetails:        statusDetails(j),
		FailureMessage:       clip(j.FailureMessage, failureMessageMax),
		OutputModelName:      j.CustomModelName,
		OutputModelArn:       string(j.OutputModelARN),
		OutputModelKmsKeyArn: keyARN(j.Scope, j.KMSKeyID),
		ClientRequestToken:   j.Token,
		RoleArn:              j.RoleARN,
		BaseModelArn:         string(j.BaseModelARN),
		CustomizationType:    j.CustomizationType,
		HyperParameters:      j.HyperParameters,
		TrainingDataConfig:   &TrainingDataConfig{S3Uri: j.TrainingURI},
		ValidationDataConfig: validationData(j.ValidationURIs),
		OutputDataConfig:     &OutputDataConfig{S3Uri: j.OutputURI},
		TrainingMetrics:      trainingMetrics(j.Progress.TrainingLoss),
		ValidationMetrics:    validationMetrics(j.Progress.ValidationLosses),
		VpcConfig:            vpc,
		CreationTime:         j.Created,
		LastModifiedTime:     j.Updated,
		EndTime:              j.EndTime,
	}, nil
}
