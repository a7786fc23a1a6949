package dataset

import "strings"

// Format is what the rows of a file are.
type Format string

// The formats, by the names that reports give them.
const (
	// Completions are rows of a prompt and its completion.
	Completions Format = "prompt and completion"
	// BedrockConversation is Bedrock's conversation schema of that name.
	BedrockConversation Format = schemaVersion
	// Chat is the form of OpenAI's chat messages, also with Anthropic's system text beside them.
	Chat Format = "chat messages"
	// Documents are texts for continued pre-training.
	Documents Format = "continued pre-training"
)

// schemaVersion is the value of that key in Bedrock's conversations.
const schemaVersion = "bedrock-conversation-2024"

// shape is how a row of the format is written.
func (f Format) shape() string {
	switch f {
	case BedrockConversation:
		return `{"schemaVersion": "` + schemaVersion + `", "messages": [{"role": "user", "content": [{"text": "..."}]}, {"role": "assistant", "content": [{"text": "..."}]}]}`
	case Chat:
		return `{"messages": [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]}`
	case Documents:
		return `{"input": "..."}`
	}
	return `{"prompt": "...", "completion": "..."}`
}

// keys are the names that a row of the format may have.
func (f Format) keys() []string {
	switch f {
	case BedrockConversation:
		return []string{"schemaVersion", "system", "messages"}
	case Chat:
		return []string{"system", "messages"}
	case Documents:
		return []string{"input"}
	}
	return []string{"prompt", "completion"}
}

// family is the format that a key tells of, by itself; "" for one that no format has.
// Bedrock's conversations count as Chat, until their schemaVersion is seen.
func family(key string) Format {
	switch key {
	case "prompt", "completion":
		return Completions
	case "messages", "system", "schemaVersion":
		return Chat
	case "input":
		return Documents
	}
	return ""
}

// rightCase is the key that somebody meant who wrote it in another case, or with spaces; "" if
// none.
func rightCase(key string) string {
	for _, f := range []Format{Completions, BedrockConversation, Documents} {
		for _, known := range f.keys() {
			if strings.EqualFold(strings.TrimSpace(key), known) {
				return known
			}
		}
	}
	return ""
}
