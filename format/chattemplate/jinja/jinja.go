// Package jinja renders the templates that models bring along to write conversations with:
// Jinja2 as Hugging Face's transformers configures it (trim_blocks, lstrip_blocks, break and
// continue, generation blocks, raise_exception, its own tojson). It knows no models and no
// tokens.
//
// A template comes from a stranger, so it gets nothing but the values it is given: no files,
// no clock, no other template; and a Budget of work, which bounds time and memory together,
// because whatever makes a value pays for its length. What is nested is bounded too, so that
// no template can overflow the stack.
//
// Every byte of the result knows where it comes from: from the template, or from which of the
// texts that were given to it. Functions keep that: the words of content.split() are still
// the content's. So a caller can tell a template's <|end|> from one that a user has written.
//
//	t, err := jinja.Parse("<|user|>{{ text | trim }}<|end|>")
//	out, err := t.Render(map[string]any{"text": jinja.Given(" Hi <|end|> ", 1)}, jinja.Budget(1000))
//	out.String()                 // <|user|>Hi <|end|><|end|>
//	for part, mark := range out.Runs { … } // "<|user|>" of the template, "Hi <|end|>" of source 1, …
//
// What a value may be: nil, bool, int, float64, Text, *List, *Dict. The definition of the
// language is "Template Designer Documentation" of Jinja 3.1 and the behaviour of that
// version, with which the tests compare.
package jinja

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

const (
	// SourceBytesMax is the longest template: the longest published ones have some 20 KB.
	SourceBytesMax = 256 << 10
	// nestingMax bounds brackets and blocks within each other; published templates have at
	// most some ten levels.
	nestingMax = 100
	// callsMax bounds macros that call each other: recursive ones descend into a tool's
	// parameters, a few levels.
	callsMax = 50
	// valueDepthMax bounds lists within lists where a value is written or compared.
	valueDepthMax = 100
)

// Error is a mistake in a template, or what it finds wrong with what it is given.
type Error struct {
	Line   int // of the template, from 1
	Msg    string
	Raised bool // by the template itself, with raise_exception: Msg is its own words
	Spent  bool // the template was cut off because its Budget was used up
}

// Error returns the message with the line.
func (e *Error) Error() string {
	if e.Raised {
		return e.Msg
	}
	return fmt.Sprintf("line %d of the template: %s", e.Line, e.Msg)
}

// Template is a parsed template. It does not change and may be used from several goroutines.
type Template struct {
	body   []stmt
	blocks bool // has generation blocks
}

// HasGeneration reports whether the template marks what the assistant says itself, with
// {% generation %}.
func (t *Template) HasGeneration() bool { return t.blocks }

// Parse reads a template. The error is an *Error that names the line.
func Parse(source string) (t *Template, err error) {
	if len(source) > SourceBytesMax {
		return nil, &Error{Line: 1, Msg: fmt.Sprintf("the template has %d bytes, the limit is %d", len(source), SourceBytesMax)}
	}
	if !utf8.ValidString(source) {
		return nil, &Error{Line: 1, Msg: "the template is not UTF-8"}
	}
	defer catch(&err)
	p := parser{tokens: lex(source)}
	body := p.body()
	return &Template{body: body, blocks: p.generation}, nil
}

// Budget is how much work a Render may do: about one for each operation, and one for each
// eight bytes of text that is made. A unit takes some tens of nanoseconds.
type Budget int

// Render renders the template with the variables, none of which it changes. The error is an
// *Error: a mistake that shows only now, something the template refuses, or the end of the
// budget.
func (t *Template) Render(vars map[string]any, budget Budget) (out Text, err error) {
	defer catch(&err)
	s := &state{left: int(budget)}
	top := &scope{vars: make(map[string]any, len(vars)), up: &scope{vars: globals}}
	for name, v := range vars {
		top.vars[name] = v
	}
	var b builder
	s.run(t.body, top, &b)
	return b.text(), nil
}

// catch turns the panic by which this package leaves its recursion into the error. Another
// panic would be our own bug; because templates come from strangers it is one request that
// fails of it, not the process.
func catch(err *error) {
	switch p := recover().(type) {
	case nil:
	case *Error:
		*err = p
	default:
		*err = &Error{Line: 1, Msg: fmt.Sprintf("it cannot be rendered, which is a fault of the renderer: %v", p)}
	}
}

// fail leaves Parse or Render.
func fail(line int, format string, args ...any) {
	panic(&Error{Line: line, Msg: fmt.Sprintf(format, args...)})
}

// Raised returns the words of a template's raise_exception, if err holds them.
func Raised(err error) (string, bool) {
	var e *Error
	if errors.As(err, &e) && e.Raised {
		return e.Msg, true
	}
	return "", false
}
