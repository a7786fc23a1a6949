package outcrop

import (
	"iter"
	"strings"
)

// ARN is an Amazon Resource Name, such as
// arn:aws:bedrock:us-east-1:123456789012:custom-model/amazon.titan-text-express-v1/abcdefghijkl.
type ARN string

// Kind is a noun's name as it stands in an ARN's resource part.
type Kind string

// The durable nouns, and the one (foundation-model) that comes from the catalog.
const (
	KindJob             Kind = "model-customization-job"
	KindCustomModel     Kind = "custom-model"
	KindThroughput      Kind = "provisioned-model"
	KindFoundationModel Kind = "foundation-model"
)

// kinds are all nouns, with what messages call one of them.
var kinds = []struct {
	kind    Kind
	name    string // with its article
	durable bool   // the store keeps them
}{
	{KindJob, "a model customization job", true},
	{KindCustomModel, "a custom model", true},
	{KindThroughput, "a provisioned model throughput", true},
	{KindFoundationModel, "a foundation model", false},
}

// Kinds returns the durable kinds: those whose resources are made, tagged and deleted.
func Kinds() iter.Seq[Kind] {
	return func(yield func(Kind) bool) {
		for _, k := range kinds {
			if k.durable && !yield(k.kind) {
				return
			}
		}
	}
}

// Noun returns what messages call a resource of the kind: "custom model". Of a kind that is not
// ours it is the kind itself, and "resource" of none.
func (k Kind) Noun() string {
	_, noun, _ := strings.Cut(k.ANoun(), " ")
	return noun
}

// ANoun returns Noun with its article: "a custom model".
func (k Kind) ANoun() string {
	for _, known := range kinds {
		if known.kind == k {
			return known.name
		}
	}
	if k == "" {
		return "a resource"
	}
	return "a " + string(k)
}

// Nouns returns what messages call several resources of the kind: "custom models".
func (k Kind) Nouns() string { return k.Noun() + "s" }

// Scope is where a resource lives: Bedrock's resources belong to one account and region.
type Scope struct {
	Account string // 12 digits
	Region  string // such as us-east-1; any well-formed region is accepted
}

// ARN returns the ARN of a resource in this scope. path is what follows the kind:
// "{id}" for most, "{baseModelID}/{id}" for jobs and custom models.
func (s Scope) ARN(kind Kind, path string) ARN {
	account := s.Account
	if kind == KindFoundationModel {
		account = "" // AWS owns them: arn:aws:bedrock:us-east-1::foundation-model/…
	}
	return ARN("arn:aws:bedrock:" + s.Region + ":" + account + ":" + string(kind) + "/" + path)
}

// ParsedARN is an ARN in its parts. Resource is everything after the kind's slash.
type ParsedARN struct {
	Partition, Service string
	Scope
	Kind     Kind
	Resource string
}

// ParseARN splits s; ok is false if s is not an ARN with a kind and a resource.
func ParseARN(s string) (p ParsedARN, ok bool) {
	f := strings.SplitN(s, ":", 6)
	if len(f) != 6 || f[0] != "arn" {
		return p, false
	}
	kind, resource, ok := strings.Cut(f[5], "/")
	if !ok || kind == "" || resource == "" {
		return p, false
	}
	return ParsedARN{
		Partition: f[1], Service: f[2], Scope: Scope{Account: f[4], Region: f[3]},
		Kind: Kind(kind), Resource: resource,
	}, true
}

// Last returns the part of the resource after its last slash: the id, or, in the ARNs that
// people write by hand, the name.
func (p ParsedARN) Last() string {
	return p.Resource[strings.LastIndexByte(p.Resource, '/')+1:]
}
