package restjson

// HeaderReason is the header of an error's answer that has its outcrop.Reason, beside AWS's body.
const HeaderReason = "X-Outcrop-Reason"

// HeaderProgress is the header of an answer to GetModelCustomizationJob that tells watchers
// what the service model has no member for: a ProgressView as JSON.
const HeaderProgress = "X-Outcrop-Progress"

// ProgressView is how far a job is, and what it trains with.
type ProgressView struct {
	Step            int     `json:"step"`
	Steps           int     `json:"steps"`
	Epoch           int     `json:"epoch"`
	Tokens          int64   `json:"tokens"` // trained so far
	TokensPerSecond float64 `json:"tokensPerSecond"`
	ETASeconds      float64 `json:"etaSeconds"`
	// PublishedStep is the one whose weights the model has, when that is known.
	PublishedStep int `json:"publishedStep,omitempty"`
	// HyperParameters are all that the job trains with: the caller's, the defaults, what was chosen.
	HyperParameters map[string]string `json:"hyperParameters"`
}
