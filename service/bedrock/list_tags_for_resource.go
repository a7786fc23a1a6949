package bedrock

import (
	"context"

	"outcrop.dev/outcrop/service/internal/resource"
)

// ListTagsForResource returns a resource's tags, by key.
func (s *Service) ListTagsForResource(ctx context.Context, in *ListTagsForResourceInput) (*ListTagsForResourceOutput, error) {
	tags, err := resource.Tags(ctx, s.store, in.ResourceARN)
	return &ListTagsForResourceOutput{Tags: resource.Each(tags, func(t resource.Tag) Tag { return Tag(t) })}, err
}
