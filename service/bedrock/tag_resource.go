package bedrock

import (
	"context"

	"outcrop.dev/outcrop/service/internal/resource"
)

// TagResource adds tags to a resource; a key that it has already gets the new value.
func (s *Service) TagResource(ctx context.Context, in *TagResourceInput) (*TagResourceOutput, error) {
	tags, err := tagsOf(in.Tags)
	if err != nil {
		return nil, err
	}
	return &TagResourceOutput{}, resource.AddTags(ctx, s.store, in.ResourceARN, tags)
}

// tagsOf returns the tags of a request as a record keeps them.
func tagsOf(tags []Tag) (map[string]string, error) {
	return resource.TagsOf(resource.Each(tags, func(t Tag) resource.Tag { return resource.Tag(t) }))
}
