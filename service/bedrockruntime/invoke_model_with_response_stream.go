package bedrockruntime

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"outcrop.dev/outcrop/wire/eventstream"
)

// InvokeModelWithResponseStream is InvokeModel as a stream of chunks in the model's own
// format, of which the last carries amazon-bedrock-invocationMetrics.
func (s *Service) InvokeModelWithResponseStream(ctx context.Context, in *InvokeModelWithResponseStreamInput, rw http.ResponseWriter) error {
	settings := settings{guardrail: in.GuardrailIdentifier != "", latency: in.PerformanceConfigLatency, tier: in.ServiceTier}
	t, d, req, err := s.invocation(ctx, in.ModelId, in.Body, settings)
	if err != nil {
		return err
	}
	w := eventstream.NewWriter(rw)
	rw.Header().Set("X-Amzn-Bedrock-Content-Type", jsonType)
	g, err := s.invoker.Generate(ctx, "InvokeModelWithResponseStream", t, req, func(text string) error {
		return chunk(w, d.piece(text))
	})
	if err == nil {
		err = chunk(w, d.last(g.GenerateResult, metricsOf(g)))
	}
	return endStream(ctx, w, err, invokeExceptions)
}

// chunk sends v, in the model's format, as one event.
func chunk(w *eventstream.Writer, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode a chunk: %w", err)
	}
	return w.Event("chunk", map[string][]byte{"bytes": b})
}
