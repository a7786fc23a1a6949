package restjsontest

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
)

const titan = "amazon.titan-text-express-v1"

// texts are what members are set to: what is right somewhere, and what is wrong everywhere.
var texts = []string{
	"a", "job", "model", "s3://data/train.jsonl", "s3://out/", "arn:aws:iam::123456789012:role/R", "2025-01-01T00:00:00Z",
	titan, "arn:aws:bedrock:us-east-1:123456789012:custom-model/outcrop.pebble-v1/abcdefghijkl", "Ascending", "FINE_TUNING",
	"arn:aws:bedrock:us-east-1::foundation-model/outcrop.pebble-v1", "", "\x00", "../../etc/passwd", "%zz", "\u2028", "💥", "-1", "1e999", "NaN",
	strings.Repeat("a", 3000), strings.Repeat("é", 64), "arn:aws:bedrock:::", "s3://", "s3:///x", "null", "{}", "\ufeff",
}

// numbers are at the edges of what a number can be.
var numbers = []any{0, 1, -1, 1000, 1001, 1 << 31, -1 << 63, 1e300, 0.5, json.Number("1e400"), json.Number("9223372036854775808")}

// right is what some members are mostly set to, so that many requests are served.
var right = map[string]any{
	"modelId": titan, "modelIdentifier": titan, "baseModelIdentifier": titan, "jobIdentifier": "job", "jobName": "another", "customModelName": "another",
	"roleArn": "arn:aws:iam::123456789012:role/R", "trainingDataConfig": map[string]any{"s3Uri": "s3://data/train.jsonl"}, "outputDataConfig": map[string]any{"s3Uri": "s3://out"},
	"provisionedModelName": "reserved", "provisionedModelId": "reserved", "modelUnits": 1, "resourceARN": "arn:aws:bedrock:us-east-1:123456789012:custom-model/outcrop.pebble-v1/abcdefghijkl", "maxResults": "5", "sortOrder": "Ascending",
	"messages": []any{map[string]any{"role": "user", "content": []any{map[string]any{"text": "hi"}}}}, "Content-Type": "application/json", "Accept": "*/*",
}

// member is the value of a member by its name, right or not.
func member(r *rand.Rand, name string) string {
	if s, ok := right[name].(string); ok && r.IntN(10) > 0 {
		return s
	}
	return text(r)
}

// Mutant returns a request of an operation that may be right, changed at random.
func Mutant(r *rand.Rand, op Operation, input reflect.Type) *Request {
	q := &Request{op: op, What: op.Name, labels: map[string]string{}, query: url.Values{}, header: http.Header{}}
	body := map[string]any{}
	for i := range input.NumField() {
		f := input.Field(i)
		name := wireName(f)
		switch {
		case right[name] != nil && f.Tag.Get("json") != "" && r.IntN(10) > 0:
			body[name] = right[name]
		case f.Tag.Get("json") != "" && r.IntN(4) == 0:
			body[name] = sample(f.Type, r)
		case f.Tag.Get("uri") != "":
			q.labels[name] = member(r, name)
		case f.Tag.Get("query") != "" && r.IntN(4) == 0:
			q.query.Add(name, member(r, name))
		case f.Tag.Get("header") != "" && r.IntN(8) == 0:
			q.header.Set(name, strings.Map(printable, member(r, name)))
		case f.Tag.Get("payload") != "":
			body = map[string]any{"inputText": "a" + text(r), "textGenerationConfig": map[string]any{"temperature": numbers[r.IntN(4)]}}
		}
	}
	q.raw, _ = json.Marshal(body) // of maps, texts and numbers: it cannot fail
	for range max(0, r.IntN(8)-4) {
		q.raw = mutate(r, q.raw)
	}
	return q
}

func printable(c rune) rune {
	if c < ' ' || c > '~' {
		return -1
	}
	return c
}

// mutate changes bytes: one, a run that is left out, one that is there twice, the end.
func mutate(r *rand.Rand, b []byte) []byte {
	b = slices.Clone(b)
	if len(b) == 0 {
		return []byte{byte(r.Uint32())}
	}
	i := r.IntN(len(b))
	j := min(len(b), i+1+r.IntN(20))
	switch r.IntN(5) {
	case 0:
		b[i] ^= 1 << r.IntN(8)
	case 1:
		b = slices.Delete(b, i, j)
	case 2:
		b = slices.Insert(b, i, b[i:j:j]...)
	case 3:
		b = b[:i]
	case 4:
		b[i] = `{}[]",:0n\`[r.IntN(10)]
	}
	return b
}

// sample is a value of a type: without r the least, with it one at random.
func sample(t reflect.Type, r *rand.Rand) any { return sampleTo(t, r, 6) }

func sampleTo(t reflect.Type, r *rand.Rand, depth int) any {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case r != nil && (depth == 0 || r.IntN(25) == 0):
		return []any{nil, "x", 5, []any{}, map[string]any{}, true}[r.IntN(6)]
	case t == timeType:
		return "2025-01-01T00:00:00Z"
	case t == blobType:
		return []byte("{}")
	case t == documentType:
		return map[string]any{}
	}
	switch t.Kind() {
	case reflect.String:
		return text(r)
	case reflect.Bool:
		return true
	case reflect.Struct:
		return sampleStruct(t, r, depth)
	case reflect.Slice:
		if r == nil {
			return []any{}
		}
		return slices.Repeat([]any{sampleTo(t.Elem(), r, depth-1)}, r.IntN(3))
	case reflect.Map:
		if r == nil {
			return map[string]any{}
		}
		return map[string]any{text(r): sampleTo(t.Elem(), r, depth-1)}
	}
	if r == nil {
		return 1
	}
	return numbers[r.IntN(len(numbers))]
}

func text(r *rand.Rand) string {
	if r == nil {
		return texts[0]
	}
	return texts[r.IntN(len(texts))]
}

func sampleStruct(t reflect.Type, r *rand.Rand, depth int) any {
	m := map[string]any{}
	for i := range t.NumField() {
		f := t.Field(i)
		if name := f.Tag.Get("json"); name != "" && r != nil && r.IntN(3) > 0 {
			m[name] = sampleTo(f.Type, r, depth-1)
		}
	}
	return m
}
