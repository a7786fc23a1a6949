package bedrockruntime

import (
	"maps"
	"slices"

	"outcrop.dev/outcrop"
)

// dialect is a model family's own format of InvokeModel's bodies.
type dialect interface {
	// defaults returns what a request means that says nothing.
	defaults() outcrop.GenerateRequest
	// parse reads a request body. The model and nothing else decides what a body means:
	// clients send no Content-Type, or any. CodeValidation says all that is wrong.
	parse(body []byte) (outcrop.GenerateRequest, error)
	// answer returns the JSON value of the whole answer.
	answer(res outcrop.GenerateResult) any
	// piece returns the JSON value of a stream's chunk.
	piece(text string) any
	// last returns the JSON value of the stream's last chunk.
	last(res outcrop.GenerateResult, m invocationMetrics) any
}

// dialects holds the body formats by the name that the catalog gives them.
var dialects = map[string]dialect{}

// register adds a dialect. Each file of one does so in its init, and no line elsewhere names it.
func register(name string, d dialect) {
	if _, is := dialects[name]; is {
		panic("two dialects are called " + name)
	}
	dialects[name] = d
}

// Dialects returns the names of the body formats that there are, in order.
func Dialects() []string { return slices.Sorted(maps.Keys(dialects)) }

// invocationMetrics ends every stream: the last chunk carries it under this name whatever
// the dialect is.
type invocationMetrics struct {
	InputTokenCount   int   `json:"inputTokenCount"`
	OutputTokenCount  int   `json:"outputTokenCount"`
	InvocationLatency int64 `json:"invocationLatency"` // ms
	FirstByteLatency  int64 `json:"firstByteLatency"`  // ms
}

func metricsOf(g outcrop.Generation) invocationMetrics {
	return invocationMetrics{
		InputTokenCount: g.InputTokens, OutputTokenCount: g.OutputTokens,
		InvocationLatency: g.Latency.Milliseconds(), FirstByteLatency: g.FirstText.Milliseconds(),
	}
}

// Stop sequences: how many Converse allows (its service model), and how long one may be; a
// longer one is text, not a sequence, and every token is compared with all of them.
const (
	stopSequencesMax     = 2500
	stopSequenceBytesMax = 1000
)
