package bedrockruntime

import (
	"context"
	"encoding/json"
	"fmt"

	"outcrop.dev/outcrop"
)

const jsonType = "application/json"

// InvokeModel generates one answer, in the model's own format. Token counts and latency are
// in headers too, where clients that do not know the format read them.
func (s *Service) InvokeModel(ctx context.Context, in *InvokeModelInput) (*InvokeModelOutput, error) {
	settings := settings{guardrail: in.GuardrailIdentifier != "", latency: in.PerformanceConfigLatency, tier: in.ServiceTier}
	t, d, req, err := s.invocation(ctx, in.ModelId, in.Body, settings)
	if err != nil {
		return nil, err
	}
	g, err := s.invoker.Generate(ctx, "InvokeModel", t, req, nil)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(d.answer(g.GenerateResult))
	if err != nil {
		return nil, fmt.Errorf("encode the answer: %w", err)
	}
	ms := int(g.Latency.Milliseconds())
	return &InvokeModelOutput{
		Body: body, ContentType: jsonType, PerformanceConfigLatency: in.PerformanceConfigLatency, ServiceTier: in.ServiceTier,
		InputTokenCount: &g.InputTokens, OutputTokenCount: &g.OutputTokens, InvocationLatency: &ms,
	}, nil
}

// invocation reads what both forms of InvokeModel are asked.
func (s *Service) invocation(ctx context.Context, modelID string, body []byte, o settings) (outcrop.Target, dialect, outcrop.GenerateRequest, error) {
	t, d, err := s.resolve(ctx, modelID)
	if err == nil {
		err = o.check()
	}
	if err != nil {
		return t, d, outcrop.GenerateRequest{}, err
	}
	req, err := d.parse(body)
	return t, d, req, err
}

// settings are what a request asks of Bedrock rather than of the model. What this server
// does not do is refused, not ignored: a guardrail that is silently absent is worse than an
// error.
type settings struct {
	guardrail bool
	latency   string // of performanceConfig
	tier      string // of serviceTier
}

func (o settings) check() error {
	switch {
	case o.guardrail:
		return outcrop.Errorf(outcrop.CodeValidation, "This server has no guardrails. Send the request without guardrail configuration.")
	case o.latency != "" && o.latency != "standard":
		return outcrop.Errorf(outcrop.CodeValidation, "Latency performance configuration %s is not supported for this model. Use standard.", o.latency)
	case o.tier != "" && o.tier != "default":
		return outcrop.Errorf(outcrop.CodeValidation, "Service tier %s is not supported for this model. Use default.", o.tier)
	}
	return nil
}
