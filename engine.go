package outcrop

import "context"

// Message is one turn of a conversation.
type Message struct {
	Role string // "system", "user" or "assistant"
	Text string
}

// GenerateRequest asks for one completion. The engine renders Messages with the model's own
// template, the same that training used.
type GenerateRequest struct {
	Model       ModelFiles
	Messages    []Message
	MaxTokens   int
	Temperature float64 // 0 is greedy
	TopP        float64 // (0,1]; 1 keeps every token
	TopK        int     // 0 keeps every token
	Stop        []string
	Seed        *uint64 // nil draws one
}

// Why a generation ended.
const (
	StopEndOfText = "end_of_text"
	StopLength    = "length"
	StopSequence  = "stop_sequence"
)

// GenerateResult is what is known at the end of a generation. Text does not hold the stop
// sequence that ended it.
type GenerateResult struct {
	Text         string
	StopReason   string
	InputTokens  int
	OutputTokens int
}

// Engine runs models. Its errors are CodeValidation for a request that the model cannot
// serve (too long, say) and CodeModelError for a model that cannot be loaded.
type Engine interface {
	// Load makes a model resident, so that the next request does not wait for it. Adapters are
	// loaded beside the model that they belong to, which they share.
	Load(ctx context.Context, m ModelFiles) error
	// Unload lets the memory of the model in dir go once its requests have ended.
	Unload(dir string)
	// Generate writes the completion piece by piece, valid UTF-8 each, to emit, which may be
	// nil, and returns the whole. It stops within one token when ctx ends or emit fails.
	Generate(ctx context.Context, req GenerateRequest, emit func(text string) error) (GenerateResult, error)
	// CountTokens returns the length of the rendered prompt.
	CountTokens(ctx context.Context, m ModelFiles, messages []Message) (int, error)
}
