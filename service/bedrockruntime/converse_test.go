package bedrockruntime

import (
	"context"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/document"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"

	"outcrop.dev/outcrop"
)

func says(role types.ConversationRole, texts ...string) types.Message {
	m := types.Message{Role: role}
	for _, s := range texts {
		m.Content = append(m.Content, &types.ContentBlockMemberText{Value: s})
	}
	return m
}

func userSays(texts ...string) types.Message { return says(types.ConversationRoleUser, texts...) }

func TestConverse(t *testing.T) {
	t.Parallel()
	bothProtocols(t, func(t *testing.T, r *rig, c *sdk.Client) {
		r.engine.reason = outcrop.StopSequence
		out, err := c.Converse(context.Background(), &sdk.ConverseInput{
			ModelId:  aws.String(string(readyARN)),
			System:   []types.SystemContentBlock{&types.SystemContentBlockMemberText{Value: "Be brief."}},
			Messages: []types.Message{userSays("What", "rock?"), says(types.ConversationRoleAssistant, "Gneiss."), userSays("Why?")},
			InferenceConfig: &types.InferenceConfiguration{
				MaxTokens: aws.Int32(7), Temperature: aws.Float32(0.5), TopP: aws.Float32(0.25), StopSequences: []string{"User:"},
			},
			AdditionalModelRequestFields: document.NewLazyDocument(map[string]any{"top_k": 40, "seed": 9}),
		})
		if err != nil {
			t.Fatal(err)
		}
		msg := out.Output.(*types.ConverseOutputMemberMessage).Value
		if text := msg.Content[0].(*types.ContentBlockMemberText).Value; text != "Banded grey gneiss." || msg.Role != types.ConversationRoleAssistant {
			t.Errorf("got %q by %s", text, msg.Role)
		}
		if out.StopReason != types.StopReasonStopSequence || *out.Usage.InputTokens != 5 || *out.Usage.OutputTokens != 3 || *out.Usage.TotalTokens != 8 || *out.Metrics.LatencyMs != 20 {
			t.Errorf("got %s, %+v, %+v", out.StopReason, *out.Usage, *out.Metrics)
		}
		seed := uint64(9)
		want := outcrop.GenerateRequest{
			Tenant: tenant, Model: outcrop.ModelFiles{ID: outcrop.ModelID(modelARN), Dir: "/custom/modelmodel12"}, MaxTokens: 7, Temperature: 0.5, TopP: 0.25, TopK: 40, Stop: []string{"User:"}, Seed: &seed,
			Messages: []outcrop.Message{outcrop.Text(outcrop.RoleSystem, "Be brief."), {Role: outcrop.RoleUser, Content: []outcrop.Part{{Text: "What"}, {Text: "rock?"}}}, outcrop.Text(outcrop.RoleAssistant, "Gneiss."), outcrop.Text(outcrop.RoleUser, "Why?")},
		}
		if got := r.engine.last(t); !reflect.DeepEqual(got, want) {
			t.Errorf("asked %+v, want %+v", got, want)
		}
		if u := r.meter.all(); len(u) != 1 || u[0].Operation != "Converse" || u[0].Resource != readyARN {
			t.Errorf("metered %+v", u)
		}
	})
}

func TestConverseDefaults(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ask := func(in *sdk.ConverseInput) outcrop.GenerateRequest {
		in.ModelId, in.Messages = &titanID, []types.Message{userSays("hi")}
		if _, err := r.client(false).Converse(context.Background(), in); err != nil {
			t.Fatal(err)
		}
		return r.engine.last(t)
	}
	want := outcrop.GenerateRequest{Tenant: tenant, Model: outcrop.ModelFiles{ID: outcrop.ModelID(pebbleID), Dir: "/pebble"}, MaxTokens: 512, Temperature: 0.7, TopP: 0.9, Messages: []outcrop.Message{outcrop.Text(outcrop.RoleUser, "hi")}}
	if got := ask(&sdk.ConverseInput{}); !reflect.DeepEqual(got, want) {
		t.Errorf("asked %+v, want %+v", got, want)
	}
	got := ask(&sdk.ConverseInput{InferenceConfig: &types.InferenceConfiguration{TopP: aws.Float32(0), MaxTokens: aws.Int32(math.MaxInt32)}})
	if got.TopP != math.SmallestNonzeroFloat64 || got.MaxTokens != math.MaxInt32 {
		t.Errorf("asked %+v", got)
	}
	ask(&sdk.ConverseInput{
		PerformanceConfig: &types.PerformanceConfiguration{Latency: types.PerformanceConfigLatencyStandard},
		ServiceTier:       &types.ServiceTier{Type: types.ServiceTierTypeDefault}, RequestMetadata: map[string]string{"team": "rocks"},
	})
}

func TestConverseRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	hi := []types.Message{userSays("hi")}
	content := func(b types.ContentBlock) []types.Message {
		return []types.Message{{Role: types.ConversationRoleUser, Content: []types.ContentBlock{&types.ContentBlockMemberText{Value: "look"}, b}}}
	}
	extra := func(v any) document.Interface { return document.NewLazyDocument(v) }
	for _, c := range []struct {
		name string
		in   sdk.ConverseInput
		says string
	}{
		{"no messages", sdk.ConverseInput{}, "A conversation must start with a user message."},
		{"only system", sdk.ConverseInput{System: []types.SystemContentBlock{&types.SystemContentBlockMemberText{Value: "s"}}}, "A conversation must start with a user message."},
		{"assistant first", sdk.ConverseInput{Messages: []types.Message{says(types.ConversationRoleAssistant, "x"), userSays("y")}}, "A conversation must start with a user message."},
		{"user twice", sdk.ConverseInput{Messages: []types.Message{userSays("x"), userSays("y")}}, "must alternate between user and assistant roles: the message at messages.1"},
		{"assistant last", sdk.ConverseInput{Messages: []types.Message{userSays("x"), says(types.ConversationRoleAssistant, "y")}}, "requires the last turn in the conversation to be a user message"},
		{"no content", sdk.ConverseInput{Messages: []types.Message{{Role: types.ConversationRoleUser, Content: []types.ContentBlock{}}}}, "at messages.0 is empty"},
		{"blank text", sdk.ConverseInput{Messages: []types.Message{userSays("x", " \n")}}, "ContentBlock object at messages.0.content.1 is blank"},
		{"system late", sdk.ConverseInput{Messages: []types.Message{userSays("x"), says("system", "y")}}, "messages.1 comes after the conversation has begun"},
		{"unknown role", sdk.ConverseInput{Messages: []types.Message{says("tool", "y")}}, "Value 'tool' at 'messages.1.member.role' failed to satisfy constraint"},
		{"image", sdk.ConverseInput{Messages: content(&types.ContentBlockMemberImage{Value: types.ImageBlock{Format: types.ImageFormatPng, Source: &types.ImageSourceMemberBytes{Value: []byte("x")}}})},
			"This model doesn't support the image content block that you provided at messages.0.content.1."},
		{"document", sdk.ConverseInput{Messages: content(&types.ContentBlockMemberDocument{Value: types.DocumentBlock{Name: aws.String("d"), Source: &types.DocumentSourceMemberText{Value: "x"}}})}, "the document content block"},
		{"tool result", sdk.ConverseInput{Messages: content(&types.ContentBlockMemberToolResult{Value: types.ToolResultBlock{ToolUseId: aws.String("t"), Content: []types.ToolResultContentBlock{&types.ToolResultContentBlockMemberText{Value: "x"}}}})}, "the toolResult content block"},
		{"cache point", sdk.ConverseInput{Messages: content(&types.ContentBlockMemberCachePoint{Value: types.CachePointBlock{Type: types.CachePointTypeDefault}})}, "the cachePoint content block"},
		{"system cache point", sdk.ConverseInput{Messages: hi, System: []types.SystemContentBlock{&types.SystemContentBlockMemberCachePoint{Value: types.CachePointBlock{Type: types.CachePointTypeDefault}}}}, "the cachePoint content block that you provided at system.0"},
		{"tools", sdk.ConverseInput{Messages: hi, ToolConfig: &types.ToolConfiguration{Tools: []types.Tool{&types.ToolMemberToolSpec{Value: types.ToolSpecification{Name: aws.String("t"), InputSchema: &types.ToolInputSchemaMemberJson{Value: extra(map[string]any{})}}}}}}, "This model doesn't support tool use."},
		{"guardrail", sdk.ConverseInput{Messages: hi, GuardrailConfig: &types.GuardrailConfiguration{GuardrailIdentifier: aws.String("g"), GuardrailVersion: aws.String("1")}}, "no guardrails"},
		{"structured output", sdk.ConverseInput{Messages: hi, OutputConfig: &types.OutputConfig{}}, "structured output"},
		{"prompt variables", sdk.ConverseInput{Messages: hi, PromptVariables: map[string]types.PromptVariableValues{"a": &types.PromptVariableValuesMemberText{Value: "b"}}}, "promptVariables"},
		{"optimized", sdk.ConverseInput{Messages: hi, PerformanceConfig: &types.PerformanceConfiguration{Latency: types.PerformanceConfigLatencyOptimized}}, "optimized"},
		{"tier", sdk.ConverseInput{Messages: hi, ServiceTier: &types.ServiceTier{Type: types.ServiceTierTypeFlex}}, "flex"},
		{"temperature", sdk.ConverseInput{Messages: hi, InferenceConfig: &types.InferenceConfiguration{Temperature: aws.Float32(1.5)}}, "'inferenceConfig.temperature' failed to satisfy constraint"},
		{"no tokens", sdk.ConverseInput{Messages: hi, InferenceConfig: &types.InferenceConfiguration{MaxTokens: aws.Int32(0)}}, "'inferenceConfig.maxTokens' failed to satisfy constraint"},
		{"empty stop", sdk.ConverseInput{Messages: hi, InferenceConfig: &types.InferenceConfiguration{StopSequences: []string{""}}}, "stopSequences"},
		{"long stop", sdk.ConverseInput{Messages: hi, InferenceConfig: &types.InferenceConfiguration{StopSequences: []string{"a", strings.Repeat("x", 1001)}}}, "inferenceConfig.stopSequences.1 has 1001 bytes"},
		{"extra field", sdk.ConverseInput{Messages: hi, AdditionalModelRequestFields: extra(map[string]any{"thinking": true})}, "Malformed input request: #: extraneous key [thinking] is not permitted, please reformat your input and try again."},
		{"extra type", sdk.ConverseInput{Messages: hi, AdditionalModelRequestFields: extra([]int{1})}, "expected type: JSONObject, found: JSONArray"},
		{"top_k", sdk.ConverseInput{Messages: hi, AdditionalModelRequestFields: extra(map[string]any{"top_k": -1})}, "#/top_k: -1 is not greater or equal to 0"},
		{"topK", sdk.ConverseInput{Messages: hi, AdditionalModelRequestFields: extra(map[string]any{"topK": topKMax + 1})}, "#/topK: 1048577 is not less or equal to 1048576"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.in.ModelId = &titanID
			_, err := r.client(false).Converse(context.Background(), &c.in)
			wantAPIError(t, err, outcrop.CodeValidation, c.says)
		})
	}
	if len(r.engine.asked) != 0 {
		t.Errorf("the engine was asked %d times", len(r.engine.asked))
	}
}

func TestConverseTakesSystemMessages(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, err := r.client(false).Converse(context.Background(), &sdk.ConverseInput{ModelId: &titanID, Messages: []types.Message{says("system", "s"), userSays("u")}})
	want := []outcrop.Message{outcrop.Text(outcrop.RoleSystem, "s"), outcrop.Text(outcrop.RoleUser, "u")}
	if err != nil || !reflect.DeepEqual(r.engine.last(t).Messages, want) {
		t.Errorf("%v, asked %+v", err, r.engine.last(t).Messages)
	}
}

func TestCountTokens(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	count := func(id string, in types.CountTokensInput) (int32, error) {
		out, err := r.client(false).CountTokens(context.Background(), &sdk.CountTokensInput{ModelId: &id, Input: in})
		if err != nil {
			return 0, err
		}
		return *out.InputTokens, nil
	}
	n, err := count(titanID, &types.CountTokensInputMemberInvokeModel{Value: types.InvokeModelTokensRequest{Body: []byte(hi)}})
	if want := int32(len("/pebble" + "hi")); err != nil || n != want {
		t.Errorf("got %d, %v; want %d", n, err, want)
	}
	n, err = count(string(readyARN), &types.CountTokensInputMemberConverse{Value: types.ConverseTokensRequest{
		System:   []types.SystemContentBlock{&types.SystemContentBlockMemberText{Value: "sys"}},
		Messages: []types.Message{userSays("hi")},
	}})
	if want := int32(len("/custom/modelmodel12" + "sys" + "hi")); err != nil || n != want {
		t.Errorf("got %d, %v; want %d", n, err, want)
	}
	_, err = count(titanID, &types.CountTokensInputMemberInvokeModel{Value: types.InvokeModelTokensRequest{Body: []byte(`{}`)}})
	wantAPIError(t, err, outcrop.CodeValidation, "required key [inputText]")
	for code, want := range map[outcrop.Code]outcrop.Code{ // CountTokens has not the errors of the others
		outcrop.CodeModelNotReady: outcrop.CodeServiceUnavailable, outcrop.CodeModelError: outcrop.CodeValidation,
	} {
		r.engine.err = outcrop.Errorf(code, "No room.")
		_, err = count(titanID, &types.CountTokensInputMemberInvokeModel{Value: types.InvokeModelTokensRequest{Body: []byte(hi)}})
		wantAPIError(t, err, want, "No room.")
	}
	_, err = count("no.such-model", &types.CountTokensInputMemberInvokeModel{Value: types.InvokeModelTokensRequest{Body: []byte(hi)}})
	wantAPIError(t, err, outcrop.CodeValidation, "The provided model identifier is invalid.")
}
