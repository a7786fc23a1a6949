package bedrock

import (
	"context"

	"outcrop.dev/outcrop"
)

// GetCustomModel returns a custom model by its name or ARN.
func (s *Service) GetCustomModel(ctx context.Context, in *GetCustomModelInput) (*GetCustomModelOutput, error) {
	m, err := get(ctx, s, outcrop.KindCustomModel, in.ModelIdentifier, outcrop.CustomModelOf)
	if err != nil {
		return nil, err
	}
	return &GetCustomModelOutput{
		ModelArn:             string(m.ARN),
		ModelName:            m.Name,
		ModelStatus:          m.Status,
		ModelKmsKeyArn:       keyARN(m.Scope, m.KMSKeyID),
		JobName:              m.JobName,
		JobArn:               string(m.JobARN),
		BaseModelArn:         baseARN(m),
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

// baseARN returns what a custom model was made from: a foundation model or another custom
// model.
func baseARN(m *outcrop.CustomModel) string {
	if p, ok := outcrop.ParseARN(m.BaseModelID); ok && p.Kind == outcrop.KindCustomModel {
		return m.BaseModelID
	}
	return string(m.BaseModelARN)
}
