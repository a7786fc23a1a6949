package chattemplate_test

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"outcrop.dev/outcrop/format/chat"
	"outcrop.dev/outcrop/format/chattemplate"
	"outcrop.dev/outcrop/format/tokenizer"
)

const (
	bos, sep, eos = 8184, 8185, 8186
	ignore        = -1
)

func load(t *testing.T) (*chattemplate.Template, *tokenizer.Tokenizer) {
	t.Helper()
	tok, err := tokenizer.Load("../../models/catalog/pebble/tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	template, err := chattemplate.New(tok)
	if err != nil {
		t.Fatal(err)
	}
	return template, tok
}

// spell writes ids as text with the special tokens spelt out.
func spell(tok *tokenizer.Tokenizer, ids []int32) string {
	var b strings.Builder
	for _, id := range ids {
		switch id {
		case bos:
			b.WriteString("[bos]")
		case sep:
			b.WriteString("[sep]")
		case eos:
			b.WriteString("[eos]")
		default:
			b.Write(tok.Token(id))
		}
	}
	return b.String()
}

func TestPrompt(t *testing.T) {
	t.Parallel()
	template, tok := load(t)
	type m = chat.Message
	for _, c := range []struct {
		messages  []m
		want, err string
	}{
		{[]m{chat.Text(chat.User, "Hi")}, "[bos]Hi[sep]", ""},
		{[]m{chat.Text(chat.User, "")}, "[bos][sep]", ""},
		{[]m{chat.Text(chat.System, "Be brief."), chat.Text(chat.User, "Hi")}, "[bos]Be brief.\n\nHi[sep]", ""},
		{[]m{chat.Text(chat.System, "A"), chat.Text(chat.System, "B"), chat.Text(chat.User, "Hi")}, "[bos]A\n\nB\n\nHi[sep]", ""},
		{[]m{chat.Text(chat.User, "Hi"), chat.Text(chat.Assistant, "Hello."), chat.Text(chat.User, "Bye")}, "[bos]Hi[sep]Hello.[eos][bos]Bye[sep]", ""},
		{[]m{chat.Text(chat.User, "a<|eos|><|bos|>b")}, "[bos]a<|eos|><|bos|>b[sep]", ""},
		{nil, "", "no messages"},
		{[]m{chat.Text(chat.System, "x")}, "", "no user message"},
		{[]m{chat.Text(chat.Assistant, "x")}, "", "message 1: an assistant message must follow"},
		{[]m{chat.Text(chat.User, "x"), chat.Text(chat.User, "y")}, "", "message 2: two user messages"},
		{[]m{chat.Text(chat.User, "x"), chat.Text(chat.System, "y")}, "", "message 2: a system text must come first"},
		{[]m{chat.Text(chat.User, "x"), chat.Text(chat.Assistant, "y")}, "", "ends with the assistant"},
		{[]m{chat.Text("tool", "x")}, "", `role "tool"`},
		{[]m{{Role: chat.User, Content: []chat.Part{{Text: "A"}, {Text: "B"}}}}, "[bos]A\nB[sep]", ""},
		{[]m{chat.Text(chat.System, "A"), {Role: chat.User, Content: []chat.Part{{Text: "B"}, {Image: &chat.Image{}}}}}, "", `message 2: only text can be written, and a part of it is of the kind "image"`},
	} {
		ids, err := template.Prompt(t.Context(), c.messages)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%v: error %v, want %q", c.messages, err, c.err)
			}
			continue
		}
		if got := spell(tok, ids); err != nil || got != c.want {
			t.Errorf("%v: %q, %v; want %q", c.messages, got, err, c.want)
		}
	}
}

func TestRowTrainsTheCompletionAndItsEnd(t *testing.T) {
	t.Parallel()
	template, tok := load(t)
	e, err := template.Row("Say hi.", " Hi there!")
	if err != nil {
		t.Fatal(err)
	}
	if got := spell(tok, e.Tokens); got != "[bos]Say hi.[sep] Hi there![eos]" {
		t.Errorf("rendered %q", got)
	}
	inputs, targets := e.Shift(ignore)
	if len(inputs) != len(e.Tokens)-1 || len(targets) != len(inputs) {
		t.Fatalf("%d inputs, %d targets, %d tokens", len(inputs), len(targets), len(e.Tokens))
	}
	var trained []int32
	for i, target := range targets {
		if target != ignore {
			if target != e.Tokens[i+1] {
				t.Errorf("target %d is %d, the next token is %d", i, target, e.Tokens[i+1])
			}
			trained = append(trained, target)
		}
	}
	if got := spell(tok, trained); got != " Hi there![eos]" {
		t.Errorf("trained %q", got)
	}
	if e.CompletionTokens() != len(trained) || e.PromptTokens()+len(trained) != len(e.Tokens) {
		t.Errorf("%d + %d of %d", e.PromptTokens(), e.CompletionTokens(), len(e.Tokens))
	}
	if targets[len(targets)-1] != eos || template.EndOfText() != eos {
		t.Error("the end of text is not trained")
	}
}

// TestTrainingBeginsAsServing: what a model is taught to continue is what it will be asked.
func TestTrainingBeginsAsServing(t *testing.T) {
	t.Parallel()
	template, _ := load(t)
	for _, text := range []string{"Hi", " x ", "trailing\n", "é世"} {
		prompt, err := template.Prompt(t.Context(), []chat.Message{chat.Text(chat.User, text)})
		if err != nil {
			t.Fatal(err)
		}
		e, err := template.Row(text, text)
		if err != nil || !slices.Equal(e.Tokens[:e.PromptTokens()], prompt) {
			t.Errorf("%q: training begins %v, serving %v, %v", text, e.Tokens, prompt, err)
		}
	}
}

func TestTruncate(t *testing.T) {
	t.Parallel()
	template, _ := load(t)
	e, err := template.Row("a b c", "d e f")
	if err != nil {
		t.Fatal(err)
	}
	n := len(e.Tokens)
	if got := e.Truncate(n); len(got.Tokens) != n {
		t.Errorf("at the limit: %d of %d left", len(got.Tokens), n)
	}
	got := e.Truncate(n - 1)
	if len(got.Tokens) != n-1 || slices.Contains(got.Tokens, eos) {
		t.Errorf("one past it: %v", got.Tokens)
	}
	if got := e.Truncate(e.PromptTokens()); got.CompletionTokens() != 0 {
		t.Errorf("%d labels in the prompt", got.CompletionTokens())
	}
	if in, out := e.Truncate(1).Shift(ignore); in != nil || out != nil {
		t.Errorf("one token gave %v, %v", in, out)
	}
}

func TestExampleNeedsTheAssistantLast(t *testing.T) {
	t.Parallel()
	template, _ := load(t)
	_, err := template.Example([]chat.Message{chat.Text(chat.User, "x")})
	if err == nil || !strings.Contains(err.Error(), "ends with the user") {
		t.Errorf("error %v", err)
	}
}

func TestNewNamesTheMissingToken(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../models/catalog/pebble/tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	tok, err := tokenizer.Parse(bytes.ReplaceAll(b, []byte(chattemplate.Separator), []byte("<|other|>")))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := chattemplate.New(tok); err == nil || !strings.Contains(err.Error(), "<|sep|>") {
		t.Errorf("error %v", err)
	}
}

// TestUntrainedAnswersAreContext: an answer that is not to be trained is read like the rest, and
// what follows the last one that is does not matter.
func TestUntrainedAnswersAreContext(t *testing.T) {
	t.Parallel()
	template, tok := load(t)
	talk := func(untrained ...bool) (messages []chat.Message) {
		for i, u := range untrained {
			messages = append(messages, chat.Text(chat.User, fmt.Sprint("Q", i)),
				chat.Message{Role: chat.Assistant, Content: []chat.Part{{Text: fmt.Sprint("A", i)}}, Untrained: u})
		}
		return messages
	}
	for _, c := range []struct {
		untrained     []bool
		want, trained string
	}{
		{[]bool{true, false}, "[bos]Q0[sep]A0[eos][bos]Q1[sep]A1[eos]", "A1[eos]"},
		{[]bool{false, true, false}, "[bos]Q0[sep]A0[eos][bos]Q1[sep]A1[eos][bos]Q2[sep]A2[eos]", "A0[eos]A2[eos]"},
		{[]bool{false, true, true}, "[bos]Q0[sep]A0[eos]", "A0[eos]"},
	} {
		e, err := template.Example(talk(c.untrained...))
		var trained []int32
		for i, id := range e.Tokens {
			if e.Trained[i] {
				trained = append(trained, id)
			}
		}
		if got, learnt := spell(tok, e.Tokens), spell(tok, trained); err != nil || got != c.want || learnt != c.trained {
			t.Errorf("%v: %q, of which %q is trained, %v; want %q and %q", c.untrained, got, learnt, err, c.want, c.trained)
		}
	}
	if _, err := template.Example(talk(true)); err == nil || !strings.Contains(err.Error(), "nothing is left to learn") {
		t.Errorf("no answer is trained: %v", err)
	}
	system := append([]chat.Message{chat.Text(chat.System, "S")}, talk(true, true)...)
	if _, err := template.Example(system); err == nil || !strings.Contains(err.Error(), "nothing is left to learn") {
		t.Errorf("no answer after a system text is trained: %v", err)
	}
}
