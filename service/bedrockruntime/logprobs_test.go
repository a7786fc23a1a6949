package bedrockruntime

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/document"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"

	"outcrop.dev/outcrop"
)

// halfCharacter are logprobs whose token is the first byte of é.
var halfCharacter = []outcrop.TokenLogprobs{{
	Logprob: outcrop.Logprob{Token: 195, Text: []byte("\xc3"), Logprob: -0.5},
	Top:     []outcrop.Logprob{{Token: 7, Text: []byte("a"), Logprob: -0.25}},
}}

const halfCharacterJSON = `[{"token":"�","bytes":[195],"tokenId":195,"logprob":-0.5,"topLogprobs":[{"token":"a","bytes":[97],"tokenId":7,"logprob":-0.25}]}]`

// TestLogprobs: every form of answer has them when the request asks, and only then.
func TestLogprobs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.engine.logs = halfCharacter
	c := r.client(false)
	const asked = `{"inputText":"hi","textGenerationConfig":{"logprobs":1}}`

	for body, want := range map[string]int{hi: 0, asked: 1} {
		out, err := invoke(r, titanID, body)
		if err != nil || strings.Count(string(out.Body), `"logprobs":`+halfCharacterJSON) != want || strings.Count(string(out.Body), "logprobs") != want {
			t.Errorf("%s: got %s, %v", body, out.Body, err)
		}
		got, err := chunks(t, c, titanID, body)
		if err != nil || strings.Count(got[len(got)-1], `"logprobs":`+halfCharacterJSON) != want || strings.Contains(strings.Join(got[:len(got)-1], ""), "logprobs") {
			t.Errorf("%s: got %s, %v", body, got, err)
		}
	}
	for _, fields := range []document.Interface{nil, document.NewLazyDocument(map[string]any{"logprobs": 1})} {
		out, err := c.Converse(context.Background(), &sdk.ConverseInput{ModelId: &titanID, Messages: []types.Message{userSays("hi")}, AdditionalModelRequestFields: fields})
		if err != nil {
			t.Fatal(err)
		}
		if (out.AdditionalModelResponseFields != nil) != (fields != nil) {
			t.Fatalf("asked with %v, got %v", fields, out.AdditionalModelResponseFields)
		}
		if fields == nil {
			continue
		}
		var got map[string]any
		if err := out.AdditionalModelResponseFields.UnmarshalSmithyDocument(&got); err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(got["logprobs"]) // the SDK keeps numbers as text
		if err != nil || !strings.Contains(string(b), `"bytes":["195"]`) {
			t.Errorf("got %s, %v", b, err)
		}
		stream, err := c.ConverseStream(context.Background(), &sdk.ConverseStreamInput{ModelId: &titanID, Messages: []types.Message{userSays("hi")}, AdditionalModelRequestFields: fields})
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for e := range stream.GetStream().Events() {
			stop, ok := e.(*types.ConverseStreamOutputMemberMessageStop)
			found = found || ok && stop.Value.AdditionalModelResponseFields != nil
		}
		if !found {
			t.Error("the stream has no logprobs")
		}
	}
}

func TestLogprobsLimit(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if _, err := invoke(r, titanID, `{"inputText":"hi","textGenerationConfig":{"logprobs":20}}`); err != nil {
		t.Error(err)
	}
	_, err := invoke(r, titanID, `{"inputText":"hi","textGenerationConfig":{"logprobs":21}}`)
	wantAPIError(t, err, outcrop.CodeValidation, "#/textGenerationConfig/logprobs: 21 is not less or equal to 20")
}
