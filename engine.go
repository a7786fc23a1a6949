package outcrop

import (
	"context"
	"time"

	"outcrop.dev/outcrop/format/chat"
)

// Message is one turn of a conversation, and Part a piece of its content: package chat has them,
// which training data and templates share.
type (
	Message    = chat.Message
	Part       = chat.Part
	ToolUse    = chat.ToolUse
	ToolResult = chat.ToolResult
	Reasoning  = chat.Reasoning
	Image      = chat.Image
)

// The roles of a Message.
const (
	RoleSystem    = chat.System
	RoleUser      = chat.User
	RoleAssistant = chat.Assistant
)

// Text returns a message of one text.
func Text(role, text string) Message { return chat.Text(role, text) }

// GenerateRequest asks for one completion. The engine renders Messages with the model's own
// template, the same that training used.
type GenerateRequest struct {
	// Tenant is who asks. What the engine keeps of a request to answer a later one sooner serves
	// the same tenant alone; "" is nobody, of whom nothing is kept.
	Tenant      string
	Model       ModelFiles
	Messages    []Message
	MaxTokens   int
	Temperature float64 // 0 is greedy
	TopP        float64 // (0,1]; 1 keeps every token
	TopK        int     // 0 keeps every token
	Stop        []string
	Seed        *uint64 // nil draws one
	Logprobs    int     // how many likely tokens GenerateResult.Logprobs shows; 0: none of it
}

// LogprobsMax bounds GenerateRequest.Logprobs.
const LogprobsMax = 20

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
	ReusedTokens int // of InputTokens, those that an earlier request of the tenant has spared
	OutputTokens int
	Logprobs     []TokenLogprobs // of each of OutputTokens, if the request asked for them
}

// Generation is what an invocation produced, and how long that took.
type Generation struct {
	GenerateResult
	Latency   time.Duration // from the request's arrival, once the model is ready, to the last token
	FirstText time.Duration // until the first text
}

// Logprob is a token and the natural logarithm of the probability that the model gave it, before
// temperature, TopP and TopK: as it was trained to.
type Logprob struct {
	Token   int
	Text    []byte // what the token stands for: some are only a part of a character, special ones nothing
	Logprob float64
}

// TokenLogprobs is a token that was generated, and the likeliest in its place, by falling
// probability.
type TokenLogprobs struct {
	Logprob
	Top []Logprob
}

// Engine runs models. Its errors are CodeValidation for a request that the model cannot
// serve (too long, say) and CodeModelError for a model that cannot be loaded.
type Engine interface {
	// Load makes a model resident, so that the next request does not wait for it. Adapters are
	// loaded beside the model that they belong to, which they share.
	Load(ctx context.Context, m ModelFiles) error
	// Unload takes back one Load of a model. After the last its memory goes once its requests have
	// ended.
	Unload(id ModelID)
	// Generate writes the completion piece by piece, valid UTF-8 each, to emit, which may be
	// nil, and returns the whole. It stops within one token when ctx ends or emit fails.
	Generate(ctx context.Context, req GenerateRequest, emit func(text string) error) (GenerateResult, error)
	// CountTokens returns the length of the rendered prompt.
	CountTokens(ctx context.Context, m ModelFiles, messages []Message) (int, error)
}
