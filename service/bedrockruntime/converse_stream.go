package bedrockruntime

import (
	"context"
	"encoding/json"
	"net/http"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/wire/eventstream"
	"outcrop.dev/outcrop/wire/restjson"
)

// ConverseStream is Converse as a stream of events: messageStart, contentBlockDelta for each
// piece of text, contentBlockStop, messageStop, metadata. (contentBlockStart is for tools and
// images only.)
func (s *Service) ConverseStream(ctx context.Context, in *ConverseStreamInput, rw http.ResponseWriter) error {
	t, d, err := s.resolve(ctx, in.ModelId)
	if err != nil {
		return err
	}
	req, err := conversation{
		messages: in.Messages, system: in.System, inference: in.InferenceConfig, extra: in.AdditionalModelRequestFields,
		tools: in.ToolConfig != nil, output: in.OutputConfig != nil, variables: in.PromptVariables != nil,
		settings: converseSettings(in.GuardrailConfig != nil, in.PerformanceConfig, in.ServiceTier),
	}.request(d)
	if err != nil {
		return err
	}
	w := converseWriter{eventstream.NewWriter(rw)}
	g, err := s.invoker.Generate(ctx, "ConverseStream", t, req, w.delta)
	if err == nil {
		err = w.end(g, in)
	}
	return endStream(ctx, w.Writer, err, converseExceptions)
}

// converseWriter writes the events of one message.
type converseWriter struct{ *eventstream.Writer }

func (w converseWriter) start() error {
	if w.Started() {
		return nil
	}
	return event(w, "messageStart", &MessageStartEvent{Role: outcrop.RoleAssistant})
}

func (w converseWriter) delta(text string) error {
	if err := w.start(); err != nil {
		return err
	}
	return event(w, "contentBlockDelta", &ContentBlockDeltaEvent{Delta: &ContentBlockDelta{Text: &text}})
}

func (w converseWriter) end(g outcrop.Generation, in *ConverseStreamInput) error {
	if g.Text == "" { // clients expect a block in every message
		if err := w.delta(""); err != nil {
			return err
		}
	}
	if err := event(w, "contentBlockStop", &ContentBlockStopEvent{}); err != nil {
		return err
	}
	fields, err := responseFields(g.GenerateResult)
	if err != nil {
		return err
	}
	if err := event(w, "messageStop", &MessageStopEvent{StopReason: converseReasons[g.StopReason], AdditionalModelResponseFields: fields}); err != nil {
		return err
	}
	return event(w, "metadata", &ConverseStreamMetadataEvent{
		Usage: usageOf(g), Metrics: &ConverseStreamMetrics{LatencyMs: g.Latency.Milliseconds()},
		PerformanceConfig: in.PerformanceConfig, ServiceTier: in.ServiceTier,
	})
}

// event sends v, a pointer to one of the service model's structures.
func event[T any](w converseWriter, name string, v *T) error {
	b, err := restjson.Marshal(API, v)
	if err != nil {
		return err
	}
	return w.Event(name, json.RawMessage(b))
}
