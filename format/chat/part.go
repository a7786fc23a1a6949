package chat

import "encoding/json"

// Part is one piece of a message's content. The pointer that is set says what it is; it is a text if
// none is, so that a text costs no more than its string. No part has two of them.
//
// Nothing makes another part than a text yet, and who is given one refuses it by its Kind.
type Part struct {
	Text       string
	ToolUse    *ToolUse
	ToolResult *ToolResult
	Reasoning  *Reasoning
	Image      *Image
}

// ToolUse is the assistant's wish that a tool be called.
type ToolUse struct {
	ID    string // of this call: its ToolResult names it
	Name  string // of the tool
	Input json.RawMessage
}

// ToolResult is what a tool answered. It stands in a user's message.
type ToolResult struct {
	ID      string // of the ToolUse
	Content []Part // texts, of which a JSON value is one, and images
	Failed  bool
}

// Reasoning is what the assistant thought before it spoke.
type Reasoning struct {
	Text      string
	Signature string // of who thought it: it goes back with the history as it came
	Redacted  []byte // the thought where it is not to be read; Text is "" then
}

// Image is a picture.
type Image struct {
	Format string // png, jpeg, gif or webp
	Bytes  []byte
}

// Kind names what a part is, in words for people.
type Kind string

// The kinds of parts.
const (
	KindText       Kind = "text"
	KindToolUse    Kind = "tool use"
	KindToolResult Kind = "tool result"
	KindReasoning  Kind = "reasoning"
	KindImage      Kind = "image"
)

// Kind returns what the part is.
func (p Part) Kind() Kind {
	switch {
	case p.ToolUse != nil:
		return KindToolUse
	case p.ToolResult != nil:
		return KindToolResult
	case p.Reasoning != nil:
		return KindReasoning
	case p.Image != nil:
		return KindImage
	}
	return KindText
}
