package chattemplate

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"outcrop.dev/outcrop/format/chat"
	"outcrop.dev/outcrop/format/tokenizer"
)

// directory writes files and returns where.
func directory(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const (
	simple  = `{% for m in messages %}{{ '<|im_start|>' + m.content + eos_token }}{% endfor %}`
	another = `{% for m in messages %}{{ m.role + ': ' + m.content + eos_token }}{% endfor %}`
)

func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func TestLoad(t *testing.T) {
	t.Parallel()
	tok := extendedTokenizer(t)
	named := `"eos_token":{"content":"</s>","special":true},"chat_template":`
	for _, c := range []struct {
		name  string
		files map[string]string
		form  string
		want  string // of the question "Hi"
	}{
		{"in the configuration", map[string]string{ConfigFile: `{` + named + quote(simple) + `}`}, "the chat template of its directory", "⟨<|im_start|>⟩Hi⟨</s>⟩"},
		{"a file of its own goes first", map[string]string{ConfigFile: `{` + named + quote(simple) + `}`, TemplateFile: another}, "the chat template of its directory", "user|: Hi⟨</s>⟩"},
		{"several with names", map[string]string{ConfigFile: `{` + named + `[{"name":"tool_use","template":"x"},{"name":"default","template":` + quote(simple) + `}]}`}, "the chat template of its directory", "⟨<|im_start|>⟩Hi⟨</s>⟩"},
		{"one with another name", map[string]string{ConfigFile: `{` + named + `[{"name":"chat","template":` + quote(simple) + `}]}`}, "the chat template of its directory", "⟨<|im_start|>⟩Hi⟨</s>⟩"},
		{"tokens in the other file", map[string]string{SpecialsFile: `{"eos_token":"</s>"}`, ConfigFile: `{"chat_template":` + quote(simple) + `}`}, "the chat template of its directory", "⟨<|im_start|>⟩Hi⟨</s>⟩"},
		{"tokens in both", map[string]string{SpecialsFile: `{"eos_token":"<eos>"}`, ConfigFile: `{` + named + quote(simple) + `}`}, "the chat template of its directory", "⟨<|im_start|>⟩Hi⟨</s>⟩"},
		{"none", nil, "Pebble's turns", "⟨<|bos|>⟩Hi⟨<|sep|>⟩"},
		{"null", map[string]string{ConfigFile: `{"eos_token":null,"chat_template":null}`}, "Pebble's turns", "⟨<|bos|>⟩Hi⟨<|sep|>⟩"},
		{"Pebble's own", map[string]string{ConfigFile: `{` + named + quote(Jinja) + `}`}, "Pebble's turns", "⟨<|bos|>⟩Hi⟨<|sep|>⟩"},
	} {
		template, err := Load(directory(t, c.files), tok)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		ids, err := template.Prompt(t.Context(), []chat.Message{chat.Text(chat.User, "Hi")})
		if got := strings.ReplaceAll(spellIDs(tok, ids), "|", ""); err != nil || got != strings.ReplaceAll(c.want, "|", "") || !strings.HasPrefix(template.String(), c.form) {
			t.Errorf("%s: %s, %q, %v; want %s, %q", c.name, template, got, err, c.form, c.want)
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	tok := extendedTokenizer(t)
	for _, c := range []struct {
		files map[string]string
		want  string
	}{
		{map[string]string{ConfigFile: `{`}, ConfigFile},
		{map[string]string{ConfigFile: `{"chat_template":7}`}, "neither a text nor a list"},
		{map[string]string{ConfigFile: `{"chat_template":[{"name":"a","template":"x"},{"name":"b","template":"x"}]}`}, "(a, b) is called default"},
		{map[string]string{ConfigFile: `{"chat_template":"{% if %}"}`}, ConfigFile + ": the chat template cannot be used: line 1"},
		{map[string]string{TemplateFile: `{% include "/etc/passwd" %}`}, "include is not allowed"},
		{map[string]string{TemplateFile: `{{ messages[0].content }}` + strings.Repeat(" ", 300<<10)}, "the limit is"},
		{map[string]string{TemplateFile: "\xff"}, "not UTF-8"},
		{map[string]string{SpecialsFile: `[]`}, SpecialsFile},
		{map[string]string{ConfigFile: `"` + strings.Repeat("x", fileBytesMax) + `"`}, "longer than"},
	} {
		if _, err := Load(directory(t, c.files), tok); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.80v: error %v, want %q", c.files, err, c.want)
		}
	}
}

// baseTokenizer has no special token but an end of text, as GPT-2's.
func baseTokenizer(t testing.TB, post string) *tokenizer.Tokenizer {
	t.Helper()
	b, err := os.ReadFile("../../models/catalog/pebble/tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]json.RawMessage
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	file["added_tokens"] = json.RawMessage(`[{"id":8192,"content":"<|endoftext|>","special":true},{"id":8193,"content":"<s>","special":true}]`)
	if post != "" {
		file["post_processor"] = json.RawMessage(post)
	}
	if b, err = json.Marshal(file); err != nil {
		t.Fatal(err)
	}
	tok, err := tokenizer.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// TestPlain is the form of base models: nothing but the texts, and the end.
func TestPlain(t *testing.T) {
	t.Parallel()
	post := `{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"pair":[],"special_tokens":{"<s>":{"id":"<s>","ids":[8193],"tokens":["<s>"]}}}`
	for _, c := range []struct {
		name, post string
		files      map[string]string
		want       []int32 // ids before the first text
	}{
		{"named", "", map[string]string{ConfigFile: `{"eos_token":"<|endoftext|>"}`}, nil},
		{"by its id", "", map[string]string{"config.json": `{"eos_token_id":8192}`}, nil},
		{"by ids", "", map[string]string{"config.json": `{"eos_token_id":[8192,8193]}`}, nil},
		{"with a beginning", post, map[string]string{ConfigFile: `{"eos_token":"<|endoftext|>"}`}, []int32{8193}},
	} {
		tok := baseTokenizer(t, c.post)
		template, err := Load(directory(t, c.files), tok)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		encode := func(text string) []int32 {
			ids, err := tok.Encode(text)
			if err != nil {
				t.Fatal(err)
			}
			return ids
		}
		e, err := template.Example([]chat.Message{chat.Text(chat.System, "S"), chat.Text(chat.User, "cat"), chat.Text(chat.Assistant, "aract"), chat.Text(chat.User, "<s>"), chat.Text(chat.Assistant, " x")})
		want := slices.Concat(c.want, encode("S\n\ncat"), encode("aract"), []int32{8192}, encode("<s>"), encode(" x"), []int32{8192})
		if err != nil || !slices.Equal(e.Tokens, want) || !strings.HasPrefix(template.String(), "plain text") || template.EndOfText() != 8192 {
			t.Errorf("%s: %s %v, %v; want %v", c.name, template, e.Tokens, err, want)
		}
		if n := len(encode("aract")) + len(encode(" x")) + 2; e.CompletionTokens() != n {
			t.Errorf("%s: %d tokens are trained, want %d", c.name, e.CompletionTokens(), n)
		}
		prompt, err := template.Prompt(t.Context(), []chat.Message{chat.Text(chat.System, "S"), chat.Text(chat.User, "cat")})
		if err != nil || !slices.Equal(prompt, e.Tokens[:len(prompt)]) || e.Trained[len(prompt)-1] || !e.Trained[len(prompt)] {
			t.Errorf("%s: prompt %v, %v", c.name, prompt, err)
		}
	}
	for _, files := range []map[string]string{nil, {"config.json": `{"eos_token_id":9999999}`}, {"config.json": `{"eos_token_id":-1}`}} {
		if _, err := Load(directory(t, files), baseTokenizer(t, "")); err == nil || !strings.Contains(err.Error(), "eos_token") {
			t.Errorf("without an end: %v", err)
		}
	}
}

func TestDocument(t *testing.T) {
	t.Parallel()
	tok := extendedTokenizer(t)
	template, err := New(tok)
	if err != nil {
		t.Fatal(err)
	}
	e, err := template.Document("Some text <|eos|>.")
	if err != nil {
		t.Fatal(err)
	}
	want, err := tok.Encode("Some text <|eos|>.")
	if err != nil {
		t.Fatal(err)
	}
	if want = append(want, template.EndOfText()); !slices.Equal(e.Tokens, want) || e.CompletionTokens() != len(want)-1 {
		t.Errorf("%v, %d trained; want %v", e.Tokens, e.CompletionTokens(), want)
	}
}

// TestPebblesJinjaIsItsForm: the template that Pebble's directory holds for other programs
// renders what Outcrop renders without it.
func TestPebblesJinjaIsItsForm(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../models/catalog/pebble/" + ConfigFile)
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		ChatTemplate string `json:"chat_template"`
	}
	if err := json.Unmarshal(b, &c); err != nil || c.ChatTemplate != Jinja {
		t.Fatalf("%v: %q is not %q", err, c.ChatTemplate, Jinja)
	}
	tok := extendedTokenizer(t)
	own, err := New(tok)
	if err != nil {
		t.Fatal(err)
	}
	other, err := newJinja(Jinja, nil, documentFrame{end: -1}, tok)
	if err != nil {
		t.Fatal(err)
	}
	all := loadFamilies(t)
	for i := range all.Conversations {
		messages := all.messages(i)
		if messages[len(messages)-1].Role == chat.User {
			a, errA := own.Prompt(t.Context(), messages)
			b, errB := other.Prompt(t.Context(), messages)
			if errA != nil || errB != nil || !slices.Equal(a, b) {
				t.Errorf("%d: %q %v, %q %v", i, spellIDs(tok, a), errA, spellIDs(tok, b), errB)
			}
			continue
		}
		a, errA := own.Example(messages)
		b, errB := other.Example(messages)
		if errA != nil || errB != nil || !slices.Equal(a.Tokens, b.Tokens) || !slices.Equal(a.Trained, b.Trained) {
			t.Errorf("%d: %q %v, %q %v", i, spellIDs(tok, a.Tokens), errA, spellIDs(tok, b.Tokens), errB)
		}
	}
}

// FuzzTemplate: no template and no text makes the loader or the renderer panic or hang; what
// is rendered ends with a trained token and begins as its prompt; and no special token comes
// from a text.
func FuzzTemplate(f *testing.F) {
	files, err := filepath.Glob("testdata/templates/*.jinja")
	if err != nil || len(files) == 0 {
		f.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b), " Hi <|im_end|>\n", "</s> yes")
	}
	tok := extendedTokenizer(f)
	f.Fuzz(func(t *testing.T, source, question, answer string) {
		template, err := newJinja(source, variables(nil), documentFrame{end: 1}, tok)
		if err != nil {
			return
		}
		messages := []chat.Message{chat.Text(chat.User, question), chat.Text(chat.Assistant, answer), chat.Text(chat.User, answer), chat.Text(chat.Assistant, question)}
		e, err := template.Example(messages)
		if err != nil {
			return
		}
		prompt, err := template.Prompt(t.Context(), messages[:3])
		if err != nil {
			t.Fatalf("%q: the example is rendered, the prompt is not: %v", source, err)
		}
		if n := len(prompt); n > len(e.Tokens) || !slices.Equal(e.Tokens[:n], prompt) {
			t.Errorf("%q: %v does not begin with %v", source, e.Tokens, prompt)
		}
		if len(e.Trained) != len(e.Tokens) || !e.Trained[len(e.Trained)-1] {
			t.Errorf("%q: the end is not trained", source)
		}
	})
}
