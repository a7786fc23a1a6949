package bedrockruntime

import "outcrop.dev/outcrop"

// titan is the body format of Amazon Titan Text:
//
//	{"inputText": "…", "textGenerationConfig": {"temperature": 0.7, "topP": 0.9, "maxTokenCount": 512, "stopSequences": []}}
//	{"inputTextTokenCount": 5, "results": [{"tokenCount": 3, "outputText": "…", "completionReason": "FINISH"}]}
//
// inputText is one user turn, taken as it is; that includes the convention
// "User: …\nBot:" for a conversation.
//
// Two members are Outcrop's own: textGenerationConfig.seed, an integer from 0, with which the
// same request gives the same text at any temperature, and textGenerationConfig.logprobs, with
// which the result (the last chunk of a stream) has a member logprobs for each of its tokens.
//
// Ranges and defaults: Amazon Bedrock user guide, "Amazon Titan Text models" (Express).
type titan struct{}

func init() { register("titan", titan{}) }

const (
	titanTemperature = 0.7
	titanTopP        = 0.9
	titanTokens      = 512
	titanTokensMax   = 8192
)

func (titan) defaults() outcrop.GenerateRequest {
	return outcrop.GenerateRequest{MaxTokens: titanTokens, Temperature: titanTemperature, TopP: titanTopP}
}

func (titan) parse(raw []byte) (outcrop.GenerateRequest, error) {
	req := titan{}.defaults()
	var b body
	m := b.members("#", raw, "inputText", "textGenerationConfig")
	if m == nil {
		return req, b.err()
	}
	var input string
	if m["inputText"] == nil {
		b.violate("#", "required key [inputText] not found")
		if m["messages"] != nil || m["prompt"] != nil {
			b.hint = ` The body is that of another family of models: this one reads {"inputText": "..."}. Converse takes the same request for every model.`
		}
	}
	b.str("#/inputText", m["inputText"], 1, &input)
	if config := m["textGenerationConfig"]; config != nil {
		titanConfig(&b, config, &req)
	}
	req.Messages = []outcrop.Message{outcrop.Text(outcrop.RoleUser, input)}
	return req, b.err()
}

// titanConfig reads textGenerationConfig into req.
func titanConfig(b *body, raw []byte, req *outcrop.GenerateRequest) {
	const at = "#/textGenerationConfig"
	m := b.members(at, raw, "temperature", "topP", "maxTokenCount", "stopSequences", "seed", "logprobs")
	tokens := int64(req.MaxTokens)
	b.number(at+"/temperature", m["temperature"], interval{lo: 0, hi: 1}, &req.Temperature)
	b.number(at+"/topP", m["topP"], interval{lo: 0, hi: 1, loOpen: true}, &req.TopP)
	b.integer(at+"/maxTokenCount", m["maxTokenCount"], 0, titanTokensMax, &tokens)
	b.strs(at+"/stopSequences", m["stopSequences"], stopSequencesMax, stopSequenceBytesMax, &req.Stop)
	b.seed(at+"/seed", m["seed"], req)
	b.logprobs(at+"/logprobs", m["logprobs"], req)
	req.MaxTokens = int(tokens)
}

// titanReasons says completionReason for each way that a generation ends. The user guide
// lists FINISHED; its examples, and the model, say FINISH.
var titanReasons = map[string]string{
	outcrop.StopEndOfText: "FINISH",
	outcrop.StopLength:    "LENGTH",
	outcrop.StopSequence:  "STOP_CRITERIA_MET",
}

type titanAnswer struct {
	InputTextTokenCount int           `json:"inputTextTokenCount"`
	Results             []titanResult `json:"results"`
}

type titanResult struct {
	TokenCount       int             `json:"tokenCount"`
	OutputText       string          `json:"outputText"`
	CompletionReason string          `json:"completionReason"`
	Logprobs         []tokenLogprobs `json:"logprobs,omitempty"`
}

func (titan) answer(res outcrop.GenerateResult) any {
	return titanAnswer{res.InputTokens, []titanResult{{res.OutputTokens, res.Text, titanReasons[res.StopReason], logprobs(res)}}}
}

// titanChunk is a chunk of a stream. The counts and the reason are null until the last.
type titanChunk struct {
	OutputText          string             `json:"outputText"`
	Index               int                `json:"index"`
	TotalOutputTokens   *int               `json:"totalOutputTextTokenCount"`
	CompletionReason    *string            `json:"completionReason"`
	InputTextTokenCount *int               `json:"inputTextTokenCount"`
	Logprobs            []tokenLogprobs    `json:"logprobs,omitempty"` // of the whole answer
	Metrics             *invocationMetrics `json:"amazon-bedrock-invocationMetrics,omitempty"`
}

func (titan) piece(text string) any { return titanChunk{OutputText: text} }

func (titan) last(res outcrop.GenerateResult, m invocationMetrics) any {
	reason := titanReasons[res.StopReason]
	return titanChunk{
		TotalOutputTokens: &res.OutputTokens, CompletionReason: &reason,
		InputTextTokenCount: &res.InputTokens, Logprobs: logprobs(res), Metrics: &m,
	}
}
