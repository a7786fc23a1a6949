package resource

import (
	"context"
	"maps"
	"slices"
	"strings"

	"outcrop.dev/outcrop"
)

// TagsMax is how many tags one resource may have (AWS, TooManyTagsException).
const TagsMax = 50

// tagKeyReserved begins the keys that AWS keeps for itself, in any case of letters.
const tagKeyReserved = "aws:"

// Tag is one tag, as services send and receive them.
type Tag struct{ Key, Value string }

// TagsOf returns tags as a record keeps them. CodeValidation for a key that comes twice or is
// reserved, CodeTooManyTags for more than TagsMax.
func TagsOf(tags []Tag) (map[string]string, error) {
	m := map[string]string{}
	for _, t := range tags {
		if _, twice := m[t.Key]; twice {
			return nil, errInvalid("The tag key %q is given twice.", t.Key)
		}
		if strings.HasPrefix(strings.ToLower(t.Key), tagKeyReserved) {
			return nil, errInvalid("The tag key %q is reserved: keys that begin with %s are for AWS itself. Choose another.", t.Key, tagKeyReserved)
		}
		m[t.Key] = t.Value
	}
	return m, checkTagCount(m)
}

func checkTagCount(m map[string]string) error {
	if len(m) > TagsMax {
		return outcrop.Errorf(outcrop.CodeTooManyTags, "The resource would have %d tags, and may have %d.", len(m), TagsMax)
	}
	return nil
}

// Tags returns the tags of a resource, by key.
func Tags(ctx context.Context, r outcrop.Reader, arn string) ([]Tag, error) {
	sc, err := Scope(ctx)
	if err != nil {
		return nil, err
	}
	kind, err := taggable(arn)
	if err != nil {
		return nil, err
	}
	rec, err := Find(ctx, r, kind, sc, arn)
	return Each(slices.Sorted(maps.Keys(rec.Tags)), func(key string) Tag { return Tag{key, rec.Tags[key]} }), err
}

// AddTags adds tags to a resource. A key that it has already gets the new value.
func AddTags(ctx context.Context, s outcrop.Store, arn string, tags map[string]string) error {
	return editTags(ctx, s, arn, func(m map[string]string) { maps.Copy(m, tags) })
}

// RemoveTags removes tags of a resource by their keys. A key that it does not have is no error.
func RemoveTags(ctx context.Context, s outcrop.Store, arn string, keys []string) error {
	return editTags(ctx, s, arn, func(m map[string]string) {
		for _, key := range keys {
			delete(m, key)
		}
	})
}

func editTags(ctx context.Context, s outcrop.Store, arn string, f func(map[string]string)) error {
	kind, err := taggable(arn)
	if err != nil {
		return err
	}
	return edit(ctx, s, kind, arn, func(rec outcrop.Record) (outcrop.Change, error) {
		tags := maps.Clone(rec.Tags)
		if tags == nil {
			tags = map[string]string{}
		}
		f(tags)
		rec.Tags = tags
		return outcrop.Change{Op: outcrop.OpUpdate, Record: rec}, checkTagCount(tags)
	})
}

// taggable returns the kind of the resource that an ARN names. CodeValidation for a thing that has
// no tags.
func taggable(arn string) (outcrop.Kind, error) {
	kinds := slices.Collect(outcrop.Kinds())
	if p, ok := outcrop.ParseARN(arn); ok && slices.Contains(kinds, p.Kind) {
		return p.Kind, nil
	}
	nouns := Each(kinds, outcrop.Kind.ANoun)
	last := len(nouns) - 1
	return "", errInvalid("The resource %s cannot have tags: give the ARN of %s or %s.", arn, strings.Join(nouns[:last], ", "), nouns[last])
}
