package bedrock

import "context"

// DeleteCustomModel deletes a custom model by its name or ARN. A model that a throughput
// serves, that a job in progress starts from, or that adapters belong to, is a conflict.
func (s *Service) DeleteCustomModel(ctx context.Context, in *DeleteCustomModelInput) (*DeleteCustomModelOutput, error) {
	return &DeleteCustomModelOutput{}, customModels.Delete(ctx, s.store, in.ModelIdentifier, checkUnused)
}
