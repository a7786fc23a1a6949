package bedrock

import (
	"maps"
	"slices"
	"strings"

	"outcrop.dev/outcrop"
)

// tagKeyReserved begins the keys that AWS keeps for itself, in any case of letters.
const tagKeyReserved = "aws:"

// tagMap reads a list of tags. CodeValidation for a key that comes twice or is reserved,
// CodeTooManyTags for more than a resource may have.
func tagMap(tags []Tag) (map[string]string, error) {
	m := map[string]string{}
	for _, t := range tags {
		if _, twice := m[t.Key]; twice {
			return nil, invalid("The tag key %q is given twice.", t.Key)
		}
		if strings.HasPrefix(strings.ToLower(t.Key), tagKeyReserved) {
			return nil, invalid("The tag key %q is reserved: keys that begin with %s are for AWS itself. Choose another.", t.Key, tagKeyReserved)
		}
		m[t.Key] = t.Value
	}
	return m, tagsFit(m)
}

func tagsFit(m map[string]string) error {
	if len(m) > TagsMax {
		return outcrop.Errorf(outcrop.CodeTooManyTags, "The resource would have %d tags, and may have %d.", len(m), TagsMax)
	}
	return nil
}

// tagList returns tags by key.
func tagList(m map[string]string) []Tag {
	tags := make([]Tag, 0, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		tags = append(tags, Tag{Key: key, Value: m[key]})
	}
	return tags
}

// taggable returns the kind of the resource that an ARN names. CodeValidation for a thing
// that has no tags.
func taggable(arn string) (outcrop.Kind, error) {
	p, ok := outcrop.ParseARN(arn)
	if !ok || kindNames[p.Kind] == "" {
		return "", invalid("The resource %s cannot have tags: give the ARN of a model customization job, a custom model or a provisioned model throughput.", arn)
	}
	return p.Kind, nil
}
