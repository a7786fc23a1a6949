package bedrock

import (
	"context"
	"maps"

	"outcrop.dev/outcrop"
)

// TagResource adds tags to a resource; a key that it has already gets the new value.
func (s *Service) TagResource(ctx context.Context, in *TagResourceInput) (*TagResourceOutput, error) {
	tags, err := tagMap(in.Tags)
	if err != nil {
		return nil, err
	}
	return &TagResourceOutput{}, s.changeTags(ctx, in.ResourceARN, func(m map[string]string) { maps.Copy(m, tags) })
}

// changeTags lets f change the tags of a resource.
func (s *Service) changeTags(ctx context.Context, arn string, f func(map[string]string)) error {
	sc, err := scope(ctx)
	if err != nil {
		return err
	}
	kind, err := taggable(arn)
	if err != nil {
		return err
	}
	return s.change(ctx, kind, sc, arn, func(rec *outcrop.Record) error {
		tags := maps.Clone(rec.Tags)
		if tags == nil {
			tags = map[string]string{}
		}
		f(tags)
		rec.Tags = tags
		return tagsFit(tags)
	})
}
