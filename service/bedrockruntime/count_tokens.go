package bedrockruntime

import (
	"context"
	"errors"

	"outcrop.dev/outcrop"
)

// CountTokens returns how many input tokens a request would have.
func (s *Service) CountTokens(ctx context.Context, in *CountTokensInput) (*CountTokensOutput, error) {
	t, d, err := s.resolve(ctx, in.ModelId)
	if err != nil {
		return nil, err
	}
	var req outcrop.GenerateRequest
	if c := in.Input.Converse; c != nil {
		req, err = conversation{messages: c.Messages, system: c.System, extra: c.AdditionalModelRequestFields, tools: c.ToolConfig != nil}.request(d)
	} else {
		req, err = d.parse(in.Input.InvokeModel.Body)
	}
	if err != nil {
		return nil, err
	}
	n, err := s.invoker.CountTokens(ctx, t, req.Messages)
	if err != nil {
		return nil, countable(err)
	}
	return &CountTokensOutput{InputTokens: n}, nil
}

// countable is err as CountTokens may say it: it has not the errors of the models' operations.
func countable(err error) error {
	e := (*outcrop.Error)(nil)
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code {
	case outcrop.CodeModelNotReady:
		return &outcrop.Error{Code: outcrop.CodeServiceUnavailable, Msg: e.Msg, Err: err}
	case outcrop.CodeModelError:
		return &outcrop.Error{Code: outcrop.CodeValidation, Msg: e.Msg, Err: err}
	}
	return err
}
