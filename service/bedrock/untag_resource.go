package bedrock

import (
	"context"

	"outcrop.dev/outcrop/service/internal/resource"
)

// UntagResource removes tags by their keys; keys that the resource does not have are no error.
func (s *Service) UntagResource(ctx context.Context, in *UntagResourceInput) (*UntagResourceOutput, error) {
	return &UntagResourceOutput{}, resource.RemoveTags(ctx, s.store, in.ResourceARN, in.TagKeys)
}
