package chattemplate

import (
	"context"
	"fmt"

	"outcrop.dev/outcrop/format/chat"
	"outcrop.dev/outcrop/format/tokenizer"
)

// The special tokens that Pebble's own turns are made of.
const (
	Begin     = "<|bos|>"
	Separator = "<|sep|>"
	End       = "<|eos|>"
)

// Jinja is Pebble's own form as a Jinja template, for the programs that read one. Load knows
// it, and renders without it.
const Jinja = "{%- set ns = namespace(system='') -%}" +
	"{%- for m in messages -%}" +
	"{%- if m['role'] == 'system' -%}{%- set ns.system = ns.system + m['content'] + '\\n\\n' -%}" +
	"{%- elif m['role'] == 'user' -%}{{- '<|bos|>' + ns.system + m['content'] + '<|sep|>' -}}{%- set ns.system = '' -%}" +
	"{%- elif m['role'] == 'assistant' -%}{{- m['content'] + '<|eos|>' -}}{%- endif -%}" +
	"{%- endfor -%}"

// systemEnd stands between a system text and the user text that it precedes, and between
// two system texts.
const systemEnd = "\n\n"

// turns is the form without Jinja: what stands before and after what the user says, and
// after what the assistant says. A system text precedes the first user text.
//
//	Pebble's own, several turns concatenated:  <|bos|>{system}⏎⏎{user}<|sep|>{assistant}<|eos|>
//	plain, for base models:                    [bos]{system}⏎⏎{user}{assistant}{eos}
//	                                                               └── trained ──┘
type turns struct {
	tok    *tokenizer.Tokenizer
	name   string
	before []int32
	every  bool // before stands before every user text, not only the first
	after  []int32
	end    int32
}

// New returns Pebble's own form over tok. It returns an error that names a special token
// which tok lacks.
func New(tok *tokenizer.Tokenizer) (*Template, error) {
	var ids [3]int32
	for i, content := range []string{Begin, Separator, End} {
		id, ok := tok.Special(content)
		if !ok {
			return nil, fmt.Errorf("the tokenizer has no special token %s, which the template needs", content)
		}
		ids[i] = id
	}
	f := &turns{tok: tok, name: "Pebble's turns, `<|bos|>{user}<|sep|>{assistant}<|eos|>`", before: ids[:1], every: true, after: ids[1:2], end: ids[2]}
	return &Template{tok: tok, form: f, end: f.end, document: documentFrame{end: f.end}}, nil
}

// newPlain returns the form of base models: the completion follows the prompt as it stands.
func newPlain(tok *tokenizer.Tokenizer, d documentFrame) *Template {
	f := &turns{tok: tok, name: "plain text, the answer right after the prompt", before: d.before, end: d.end}
	return &Template{tok: tok, form: f, end: d.end, document: d}
}

func (f *turns) String() string { return f.name }

func (f *turns) prompt(ctx context.Context, messages []chat.Message) ([]int32, error) {
	e, err := f.write(f.tok.Within(ctx), messages)
	return e.Tokens, err
}

func (f *turns) example(messages []chat.Message) (Example, error) {
	return f.write(f.tok.Within(context.Background()), messages)
}

func (f *turns) write(tok *tokenizer.Tokenizer, messages []chat.Message) (e Example, err error) {
	system := ""
	for i, m := range messages {
		switch m.Role {
		case chat.System:
			system += m.Text() + systemEnd
			continue
		case chat.User:
			if f.every || len(e.Tokens) == 0 {
				e.Tokens = append(e.Tokens, f.before...)
			}
			e.Tokens, err = tok.AppendEncode(e.Tokens, system+m.Text())
			e.Tokens = append(e.Tokens, f.after...)
			system = ""
		case chat.Assistant:
			e.Tokens, err = tok.AppendEncode(e.Tokens, m.Text())
			e.Tokens = append(e.Tokens, f.end)
		}
		if err != nil {
			return Example{}, fmt.Errorf("message %d: %w", i+1, err)
		}
		e.mark(len(e.Tokens), m.Role == chat.Assistant && !m.Untrained)
	}
	return e, nil
}
