// Package chattemplate renders conversations as token ids: the one renderer, for training
// and for serving, so that a model is asked in exactly the form it was taught. It knows
// tokenizers, and no model.
//
// A model directory decides the form (Load): the Jinja chat_template that it brings along;
// without one Pebble's own turns, if its tokenizer has their special tokens; else the plain
// text of base models.
//
//	t, err := chattemplate.Load("models/pebble", tok)
//	ids, err := t.Prompt(ctx, []chat.Message{chat.Text(chat.User, "Hello")})
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
	"context"
	"fmt"

	"outcrop.dev/outcrop/format/chat"
	"outcrop.dev/outcrop/format/tokenizer"
)

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
	prompt(ctx context.Context, messages []chat.Message) ([]int32, error)
	// example returns a conversation that the assistant has the last word in.
	example(messages []chat.Message) (Example, error)
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
	return t.Example([]chat.Message{chat.Text(chat.User, prompt), chat.Text(chat.Assistant, completion)})
}

// Example renders a whole conversation, which ends with the assistant, up to the last answer
// that is trained. The error says which message breaks the order that Prompt wants or is more than
// text, or what the template refuses.
func (t *Template) Example(messages []chat.Message) (Example, error) {
	if err := check(messages); err != nil {
		return Example{}, err
	}
	if messages[len(messages)-1].Role != chat.Assistant {
		return Example{}, fmt.Errorf("the conversation ends with the user: the last message must be the assistant's")
	}
	for messages[len(messages)-1].Untrained {
		if messages = messages[:len(messages)-2]; len(messages) == 0 || messages[len(messages)-1].Role == chat.System {
			return Example{}, fmt.Errorf("no answer is to be trained: nothing is left to learn")
		}
	}
	return t.form.example(messages)
}

// Prompt renders a conversation that the assistant is to continue. The order must be any
// system messages, then user and assistant in turns, the user last; the error names the
// message that breaks it or is more than text, or says what the template refuses. It ends with ctx's
// error when ctx does.
func (t *Template) Prompt(ctx context.Context, messages []chat.Message) ([]int32, error) {
	if err := check(messages); err != nil {
		return nil, err
	}
	if messages[len(messages)-1].Role != chat.User {
		return nil, fmt.Errorf("the conversation ends with the assistant: the last message must be the user's")
	}
	return t.form.prompt(ctx, messages)
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

// check wants any system messages, then user and assistant in turns, and nothing but texts: no form
// writes more yet.
func check(messages []chat.Message) error {
	if len(messages) == 0 {
		return fmt.Errorf("there are no messages")
	}
	last := chat.System
	for i, m := range messages {
		switch {
		case m.Role != chat.System && m.Role != chat.User && m.Role != chat.Assistant:
			return fmt.Errorf("message %d: role %q is not known: use system, user or assistant", i+1, m.Role)
		case m.Role == chat.System && last != chat.System:
			return fmt.Errorf("message %d: a system text must come first", i+1)
		case m.Role == chat.User && last == chat.User:
			return fmt.Errorf("message %d: two user messages follow each other: user and assistant must take turns", i+1)
		case m.Role == chat.Assistant && last != chat.User:
			return fmt.Errorf("message %d: an assistant message must follow a user message", i+1)
		}
		for _, p := range m.Content {
			if kind := p.Kind(); kind != chat.KindText {
				return fmt.Errorf("message %d: only text can be written, and a part of it is of the kind %q", i+1, kind)
			}
		}
		last = m.Role
	}
	if last == chat.System {
		return fmt.Errorf("there is no user message")
	}
	return nil
}
