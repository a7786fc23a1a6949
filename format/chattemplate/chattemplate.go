// Package chattemplate renders conversations as token ids: the one renderer, for training
// and for serving, so that a model is asked in exactly the form it was taught. It knows
// tokenizers, and no model.
//
// A model directory decides the form (Load): the Jinja chat_template that it brings along;
// without one Pebble's own turns, if its tokenizer has their special tokens; else the plain
// text of base models.
//
//	t, err := chattemplate.Load("models/pebble", tok)
//	ids, err := t.Prompt([]chattemplate.Message{{Role: "user", Text: "Hello"}})
//	example, err := t.Row("Hello", "Hello to you.")
//
// Two rules hold in every form.
//
// What is taught is what will be asked: the tokens of an Example begin with those of the
// Prompt to each of its answers that are trained, and what is trained is all that the model
// then has to say itself, up to and with the token that ends its turn.
//
// Text of messages never becomes a special token, whatever it spells and wherever a template
// moves it: rendering keeps account of which bytes are a message's (package jinja), and only
// the template's own may be special. So "<|im_end|>" in a question is ordinary characters.
package chattemplate

import (
	"fmt"

	"outcrop.dev/outcrop/format/tokenizer"
)

// The roles of a Message.
const (
	System    = "system"
	User      = "user"
	Assistant = "assistant"
)

// Message is one contribution to a conversation.
type Message struct {
	Role      string // System, User or Assistant
	Text      string
	Untrained bool // of an Example: what the assistant says here is only context
}

// Template renders for one tokenizer. It may be used from several goroutines.
type Template struct {
	tok      *tokenizer.Tokenizer
	form     form
	end      int32 // of a turn
	document documentFrame
	warnings []string
}

// form is a way to write conversations, whose order is known to be right.
type form interface {
	// prompt returns the tokens of a conversation that the assistant is to continue.
	prompt(messages []Message) ([]int32, error)
	// example returns a conversation that the assistant has the last word in.
	example(messages []Message) (Example, error)
	// String names the form for people.
	String() string
}

// documentFrame is what stands before and after a text that stands alone.
type documentFrame struct {
	before []int32
	end    int32
}

// String describes the form: "the chat template of its directory", say.
func (t *Template) String() string { return t.form.String() }

// EndOfText is the id that ends what the assistant says: the model stops by it.
func (t *Template) EndOfText() int32 { return t.end }

// Warnings says what the template cannot do, in sentences for people; there are none for most.
func (t *Template) Warnings() []string { return t.warnings }

// Row renders a prompt and its completion.
func (t *Template) Row(prompt, completion string) (Example, error) {
	return t.Example([]Message{{Role: User, Text: prompt}, {Role: Assistant, Text: completion}})
}

// Example renders a whole conversation, which ends with the assistant, up to the last answer
// that is trained. The error says which message breaks the order that Prompt wants, or what the
// template refuses.
func (t *Template) Example(messages []Message) (Example, error) {
	if err := checkOrder(messages); err != nil {
		return Example{}, err
	}
	if messages[len(messages)-1].Role != Assistant {
		return Example{}, fmt.Errorf("the conversation ends with the user: the last message must be the assistant's")
	}
	for messages[len(messages)-1].Untrained {
		if messages = messages[:len(messages)-2]; len(messages) == 0 || messages[len(messages)-1].Role == System {
			return Example{}, fmt.Errorf("no answer is to be trained: nothing is left to learn")
		}
	}
	return t.form.example(messages)
}

// Prompt renders a conversation that the assistant is to continue. The order must be any
// system messages, then user and assistant in turns, the user last; the error names the
// message that breaks it, or says what the template refuses.
func (t *Template) Prompt(messages []Message) ([]int32, error) {
	if err := checkOrder(messages); err != nil {
		return nil, err
	}
	if messages[len(messages)-1].Role != User {
		return nil, fmt.Errorf("the conversation ends with the assistant: the last message must be the user's")
	}
	return t.form.prompt(messages)
}

// Document renders a text that stands alone, for continued pre-training: all of it is
// trained, and the end of text after it; only the first token is not, which nothing precedes.
func (t *Template) Document(text string) (Example, error) {
	ids := append(make([]int32, 0, len(t.document.before)+len(text)/3+2), t.document.before...)
	ids, err := t.tok.AppendEncode(ids, text)
	if err != nil {
		return Example{}, err
	}
	e := Example{Tokens: append(ids, t.document.end)}
	e.mark(max(len(t.document.before), 1), false)
	e.mark(len(e.Tokens), true)
	return e, nil
}

// checkOrder wants any system messages, then user and assistant in turns.
func checkOrder(messages []Message) error {
	if len(messages) == 0 {
		return fmt.Errorf("there are no messages")
	}
	last := System
	for i, m := range messages {
		switch {
		case m.Role != System && m.Role != User && m.Role != Assistant:
			return fmt.Errorf("message %d: role %q is not known: use system, user or assistant", i+1, m.Role)
		case m.Role == System && last != System:
			return fmt.Errorf("message %d: a system text must come first", i+1)
		case m.Role == User && last == User:
			return fmt.Errorf("message %d: two user messages follow each other: user and assistant must take turns", i+1)
		case m.Role == Assistant && last != User:
			return fmt.Errorf("message %d: an assistant message must follow a user message", i+1)
		}
		last = m.Role
	}
	if last == System {
		return fmt.Errorf("there is no user message")
	}
	return nil
}
