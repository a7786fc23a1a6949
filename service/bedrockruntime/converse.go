package bedrockruntime

import (
	"context"
	"encoding/json"
	"fmt"

	"outcrop.dev/outcrop"
)

// Converse generates the assistant's next message of a conversation, whatever the model's
// own format is.
func (s *Service) Converse(ctx context.Context, in *ConverseInput) (*ConverseOutput, error) {
	t, d, err := s.resolve(ctx, in.ModelId)
	if err != nil {
		return nil, err
	}
	req, err := conversation{
		messages: in.Messages, system: in.System, inference: in.InferenceConfig, extra: in.AdditionalModelRequestFields,
		tools: in.ToolConfig != nil, output: in.OutputConfig != nil, variables: in.PromptVariables != nil,
		settings: converseSettings(in.GuardrailConfig != nil, in.PerformanceConfig, in.ServiceTier),
	}.request(d)
	if err != nil {
		return nil, err
	}
	g, err := s.invoker.Generate(ctx, "Converse", t, req, nil)
	if err != nil {
		return nil, err
	}
	fields, err := responseFields(g.GenerateResult)
	if err != nil {
		return nil, err
	}
	return &ConverseOutput{
		Output:      &ConverseOutputUnion{Message: &Message{Role: outcrop.RoleAssistant, Content: []ContentBlock{{Text: &g.Text}}}},
		StopReason:  converseReasons[g.StopReason],
		Usage:       usageOf(g),
		Metrics:     &ConverseMetrics{LatencyMs: g.Latency.Milliseconds()},
		ServiceTier: in.ServiceTier, PerformanceConfig: in.PerformanceConfig,
		AdditionalModelResponseFields: fields,
	}, nil
}

// responseFields returns additionalModelResponseFields: logprobs if they were asked for.
func responseFields(res outcrop.GenerateResult) (json.RawMessage, error) {
	if len(res.Logprobs) == 0 {
		return nil, nil
	}
	b, err := json.Marshal(map[string]any{"logprobs": logprobs(res)})
	if err != nil {
		return nil, fmt.Errorf("encode the logprobs: %w", err)
	}
	return b, nil
}

// converseReasons says stopReason for each way that a generation ends.
var converseReasons = map[string]string{
	outcrop.StopEndOfText: "end_turn",
	outcrop.StopLength:    "max_tokens",
	outcrop.StopSequence:  "stop_sequence",
}

func usageOf(g outcrop.Generation) *TokenUsage {
	return &TokenUsage{InputTokens: g.InputTokens, OutputTokens: g.OutputTokens, TotalTokens: g.InputTokens + g.OutputTokens}
}

func converseSettings(guardrail bool, p *PerformanceConfiguration, tier *ServiceTier) settings {
	o := settings{guardrail: guardrail}
	if p != nil {
		o.latency = p.Latency
	}
	if tier != nil {
		o.tier = tier.Type
	}
	return o
}
