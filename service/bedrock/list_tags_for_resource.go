package bedrock

import "context"

// ListTagsForResource returns a resource's tags, by key.
func (s *Service) ListTagsForResource(ctx context.Context, in *ListTagsForResourceInput) (*ListTagsForResourceOutput, error) {
	sc, err := scope(ctx)
	if err != nil {
		return nil, err
	}
	kind, err := taggable(in.ResourceARN)
	if err != nil {
		return nil, err
	}
	rec, err := s.find(ctx, kind, sc, in.ResourceARN)
	if err != nil {
		return nil, err
	}
	return &ListTagsForResourceOutput{Tags: tagList(rec.Tags)}, nil
}
