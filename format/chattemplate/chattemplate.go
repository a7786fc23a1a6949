// Package chattemplate renders conversations as token ids: the one renderer, for training
// and for serving, so that a model is asked in exactly the form it was taught. It knows
// tokenizers only by two methods, and no model.
//
// One turn, several turns concatenated, a system text before the first user text:
//
//	<|bos|>{system}⏎⏎{user}<|sep|>{assistant}<|eos|>
//	                              └── trained ──┘
//
// A prompt for generation is the same without what the assistant will say. A row of prompt
// and completion is one turn. The ids of special tokens come from here alone: text that
// spells them is ordinary text.
//
//	t, err := chattemplate.New(tokenizer)
//	ids, err := t.Prompt([]chattemplate.Message{{Role: "user", Text: "Hello"}})
//	example, err := t.Row("Hello", "Hello to you.")
package chattemplate

import "fmt"

// The roles of a Message.
const (
	System    = "system"
	User      = "user"
	Assistant = "assistant"
)

// The special tokens that the template is made of.
const (
	Begin     = "<|bos|>"
	Separator = "<|sep|>"
	End       = "<|eos|>"
)

// systemEnd stands between a system text and the user text that it precedes, and between
// two system texts.
const systemEnd = "\n\n"

// Message is one contribution to a conversation.
type Message struct {
	Role string // System, User or Assistant
	Text string
}

// Tokenizer is what a Template needs of one.
type Tokenizer interface {
	AppendEncode(ids []int32, text string) ([]int32, error)
	Special(content string) (id int32, ok bool)
}

// Template renders for one tokenizer. It may be used from several goroutines.
type Template struct {
	tok             Tokenizer
	begin, sep, end int32
}

// New returns the template over tok. It returns an error that names a special token which
// tok lacks.
func New(tok Tokenizer) (*Template, error) {
	t := &Template{tok: tok}
	for _, s := range []struct {
		content string
		id      *int32
	}{{Begin, &t.begin}, {Separator, &t.sep}, {End, &t.end}} {
		id, ok := tok.Special(s.content)
		if !ok {
			return nil, fmt.Errorf("the tokenizer has no special token %s, which the template needs", s.content)
		}
		*s.id = id
	}
	return t, nil
}

// EndOfText is the id that ends every completion: the model stops by it.
func (t *Template) EndOfText() int32 { return t.end }

// Example is rendered text to train on.
type Example struct {
	Tokens  []int32
	Trained []bool // of each token: whether the model learns to produce it
}

// PromptTokens counts the tokens that are given, CompletionTokens those that are learnt,
// the end of text among them.
func (e Example) PromptTokens() int { return len(e.Tokens) - e.CompletionTokens() }

// CompletionTokens: see PromptTokens.
func (e Example) CompletionTokens() int {
	n := 0
	for _, trained := range e.Trained {
		if trained {
			n++
		}
	}
	return n
}

// Truncate returns the first n tokens, or e itself if it has no more. What is cut off is
// the end, so that a completion that is cut is not taught to end there.
func (e Example) Truncate(n int) Example {
	if len(e.Tokens) <= n {
		return e
	}
	return Example{e.Tokens[:n], e.Trained[:n]}
}

// Shift returns e as next-token prediction: inputs, and for each the token to predict,
// ignore where that one is not trained.
func (e Example) Shift(ignore int32) (inputs, targets []int32) {
	if len(e.Tokens) < 2 {
		return nil, nil
	}
	targets = make([]int32, len(e.Tokens)-1)
	for i := range targets {
		targets[i] = ignore
		if e.Trained[i+1] {
			targets[i] = e.Tokens[i+1]
		}
	}
	return e.Tokens[:len(targets)], targets
}

// Row renders a prompt and its completion.
func (t *Template) Row(prompt, completion string) (Example, error) {
	return t.Example([]Message{{User, prompt}, {Assistant, completion}})
}

// Example renders a whole conversation, which ends with the assistant. It returns an error
// for an order of roles that Prompt refuses too.
func (t *Template) Example(messages []Message) (Example, error) {
	var r render
	if err := t.render(&r, messages); err != nil {
		return Example{}, err
	}
	if r.open {
		return Example{}, fmt.Errorf("the conversation ends with the user: the last message must be the assistant's")
	}
	return Example{r.tokens, r.trained}, nil
}

// Prompt renders a conversation that the assistant is to continue. The order must be any
// system messages, then user and assistant in turns, the user last; the error names the
// message that breaks it.
func (t *Template) Prompt(messages []Message) ([]int32, error) {
	var r render
	if err := t.render(&r, messages); err != nil {
		return nil, err
	}
	if !r.open {
		return nil, fmt.Errorf("the conversation ends with the assistant: the last message must be the user's")
	}
	return r.tokens, nil
}

// render is a conversation being rendered.
type render struct {
	tokens  []int32
	trained []bool
	system  string // text waiting for the first user message
	open    bool   // the last message was the user's
}

func (t *Template) render(r *render, messages []Message) error {
	if len(messages) == 0 {
		return fmt.Errorf("there are no messages")
	}
	for i, m := range messages {
		var err error
		switch {
		case m.Role == System && len(r.tokens) == 0:
			r.system += m.Text + systemEnd
		case m.Role == System:
			return fmt.Errorf("message %d: a system text must come first", i+1)
		case m.Role == User && !r.open:
			err = t.user(r, m.Text)
		case m.Role == Assistant && r.open:
			err = t.assistant(r, m.Text)
		case m.Role == User:
			return fmt.Errorf("message %d: two user messages follow each other: user and assistant must take turns", i+1)
		case m.Role == Assistant:
			return fmt.Errorf("message %d: an assistant message must follow a user message", i+1)
		default:
			return fmt.Errorf("message %d: role %q is not known: use system, user or assistant", i+1, m.Role)
		}
		if err != nil {
			return fmt.Errorf("message %d: %w", i+1, err)
		}
	}
	if len(r.tokens) == 0 {
		return fmt.Errorf("there is no user message")
	}
	return nil
}

func (t *Template) user(r *render, text string) (err error) {
	r.tokens = append(r.tokens, t.begin)
	if r.tokens, err = t.tok.AppendEncode(r.tokens, r.system+text); err != nil {
		return err
	}
	r.tokens = append(r.tokens, t.sep)
	r.mark(false)
	r.system, r.open = "", true
	return nil
}

func (t *Template) assistant(r *render, text string) (err error) {
	if r.tokens, err = t.tok.AppendEncode(r.tokens, text); err != nil {
		return err
	}
	r.tokens = append(r.tokens, t.end)
	r.mark(true)
	r.open = false
	return nil
}

// mark gives the tokens that are new their place in the loss.
func (r *render) mark(trained bool) {
	for len(r.trained) < len(r.tokens) {
		r.trained = append(r.trained, trained)
	}
}
