// Package chat is what conversations are made of: roles, messages, and the parts of their content.
// Rows of training data, chat templates, the bodies of requests and the engine all speak of the same
// messages. It knows no file, no template and no API.
//
//	talk := []chat.Message{chat.Text(chat.System, "Be brief."), chat.Text(chat.User, "What is schist?")}
//	talk[1].Text() // "What is schist?"
package chat

import "strings"

// The roles of a Message. There are no others: what a tool answered is a part of a user's message,
// as in Converse. Who reads a format with a role of its own for that (OpenAI's "tool") makes such a
// part of it.
const (
	System    = "system"
	User      = "user"
	Assistant = "assistant"
)

// Message is one contribution to a conversation.
type Message struct {
	Role    string // System, User or Assistant
	Content []Part // in order
	// Untrained says, of a row of training data, that the answer is only context. It means nothing
	// in a request.
	Untrained bool
}

// Text returns a message of one text, which most are.
func Text(role, text string) Message {
	return Message{Role: role, Content: []Part{{Text: text}}}
}

// Text returns the texts of the message, a line each. Parts of other kinds have none: who reads
// nothing but texts sees to it that there is nothing else (Part.Kind).
func (m Message) Text() string {
	if len(m.Content) == 1 {
		return m.Content[0].Text
	}
	var texts []string
	for _, p := range m.Content {
		if p.Kind() == KindText {
			texts = append(texts, p.Text)
		}
	}
	return strings.Join(texts, "\n")
}
