package bedrockruntime

import (
	"context"

	"outcrop.dev/outcrop"
)

// CountTokens returns how many input tokens a request would have.
func (s *Service) CountTokens(ctx context.Context, in *CountTokensInput) (*CountTokensOutput, error) {
	t, err := s.resolve(ctx, in.ModelId)
	if err != nil {
		return nil, err
	}
	var req outcrop.GenerateRequest
	if c := in.Input.Converse; c != nil {
		req, err = conversation{messages: c.Messages, system: c.System, extra: c.AdditionalModelRequestFields, tools: c.ToolConfig != nil}.request(t.dialect)
	} else {
		req, err = t.dialect.parse(in.Input.InvokeModel.Body)
	}
	if err != nil {
		return nil, err
	}
	n, err := s.engine.CountTokens(ctx, t.files, req.Messages)
	if err != nil {
		return nil, err
	}
	return &CountTokensOutput{InputTokens: n}, nil
}
