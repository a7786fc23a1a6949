package bedrock

import "context"

// GetCustomModel returns a custom model by its name or ARN.
func (s *Service) GetCustomModel(ctx context.Context, in *GetCustomModelInput) (*GetCustomModelOutput, error) {
	m, err := customModels.Get(ctx, s.store, in.ModelIdentifier)
	if err != nil {
		return nil, err
	}
	return &GetCustomModelOutput{
		ModelArn:             string(m.ARN),
		ModelName:            m.Name,
		ModelStatus:          string(m.Status),
		ModelKmsKeyArn:       keyARN(m.Scope, m.KMSKeyID),
		JobName:              m.JobName,
		JobArn:               string(m.JobARN),
		BaseModelArn:         m.Parent,
		CustomizationType:    m.CustomizationType,
		HyperParameters:      m.HyperParameters,
		TrainingDataConfig:   &TrainingDataConfig{S3Uri: m.TrainingURI},
		ValidationDataConfig: validationData(m.ValidationURIs),
		OutputDataConfig:     &OutputDataConfig{S3Uri: m.OutputURI},
		TrainingMetrics:      trainingMetrics(m.TrainingLoss),
		ValidationMetrics:    validationMetrics(m.ValidationLosses),
		CreationTime:         m.Created,
	}, nil
}
