package datacheck

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/format/chattemplate"
	"outcrop.dev/outcrop/format/dataset"
	"outcrop.dev/outcrop/format/tokenizer"
	"outcrop.dev/outcrop/internal/durable"
)

// chatLine is a row of chat messages, the user first.
func chatLine(texts ...string) string {
	var all []map[string]string
	for i, text := range texts {
		all = append(all, map[string]string{"role": []string{"user", "assistant"}[i%2], "content": text})
	}
	b, _ := json.Marshal(map[string]any{"messages": all})
	return string(b) + "\n"
}

func documentLine(text string) string {
	b, _ := json.Marshal(map[string]string{"input": text})
	return string(b) + "\n"
}

func pebbleTokens(t *testing.T, text string) int {
	t.Helper()
	tok, err := tokenizer.Load(filepath.Join(pebbleDir, tokenizer.File))
	if err != nil {
		t.Fatal(err)
	}
	ids, err := tok.Encode(text)
	if err != nil {
		t.Fatal(err)
	}
	return len(ids)
}

// TestReportOfConversations counts by hand what is given and what is trained.
func TestReportOfConversations(t *testing.T) {
	t.Parallel()
	r := check(t, 64, chatLine("What?", "That.", "Why?", "Because of it.")+chatLine("What?", "That.", "Why?", "No."), chatLine("What?", "That.", "Why?", "x"))
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	n := func(text string) int64 { return int64(pebbleTokens(t, text)) }
	given := 2 * (2 + n("What?") + 2 + n("Why?"))                        // two special tokens a turn
	trained := 2*(n("That.")+1) + n("Because of it.") + 1 + n("No.") + 1 // and the end of each answer
	f := r.Files[0]
	if f.Format != dataset.Chat || f.PromptTokens != given || f.CompletionTokens != trained || f.Length.Max != int(given/2+n("That.")+1+n("Because of it.")+1) {
		t.Errorf("%+v, want %d given, %d trained", f, given, trained)
	}
	if f.Duplicates.Count != 0 || r.Files[1].Leaks.Count != 1 || f.Untrained.Count != 0 {
		t.Errorf("duplicates %v, leaks %v", f.Duplicates, r.Files[1].Leaks)
	}
	var text bytes.Buffer
	if err := r.WriteText(&text); err != nil || !strings.Contains(text.String(), "format      chat messages\n") ||
		!strings.Contains(text.String(), fmt.Sprintf("tokens      %d given, %d trained\n", given, trained)) {
		t.Errorf("%s, %v", &text, err)
	}
}

// TestReportOfDocuments packs by hand.
func TestReportOfDocuments(t *testing.T) {
	t.Parallel()
	short, long := "A short text.", strings.Repeat("very long text ", 60)
	n, m := pebbleTokens(t, short), pebbleTokens(t, long)
	r := check(t, 64, documentLine(short)+documentLine(long)+documentLine("Another one.")+documentLine(short), documentLine(short))
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	f := r.Files[0]
	// The first token of a text cannot be predicted: Pebble's have no beginning.
	if want := int64(2*n + m + pebbleTokens(t, "Another one.")); f.Format != dataset.Documents || f.PromptTokens != 4 || f.CompletionTokens != want {
		t.Errorf("%+v, want %d trained", f, want)
	}
	if f.Truncated.Count != 0 || f.NoLabel != 0 || f.Duplicates.Count != 1 || r.Files[1].Leaks.Count != 1 || f.Length.Max != m+1 {
		t.Errorf("%+v", f)
	}
	rows, room := 0, 0
	for _, tokens := range []int{n, m, pebbleTokens(t, "Another one."), n} {
		for ; tokens > 0; tokens -= min(tokens, 64) {
			if k := min(tokens, 64); k > room {
				rows, room = rows+1, 64-k
			} else {
				room -= k
			}
		}
	}
	if f.Packs != rows || f.TrainedRows() != rows || rows < 4 {
		t.Errorf("%d packs, want %d", f.Packs, rows)
	}
}

// TestFormatsOfACustomization: a job takes the rows of its type, and any check the same kind
// for all its files.
func TestFormatsOfACustomization(t *testing.T) {
	t.Parallel()
	prompt, document := rows("p", "c"), documentLine("text")
	for _, c := range []struct{ customization, train, validation, want string }{
		{outcrop.FineTuning, prompt, chatLine("u", "a"), ""},
		{outcrop.FineTuning, document, prompt, "train.jsonl line 1: \"input\" is a row of continued pre-training"},
		{outcrop.ContinuedPreTraining, document, document, ""},
		{outcrop.ContinuedPreTraining, prompt, document, "train.jsonl line 1: this is a row of fine-tuning"},
		{outcrop.ContinuedPreTraining, document, chatLine("u", "a"), "val.jsonl line 1: this is a row of fine-tuning"},
		{"", document, prompt, "val.jsonl line 1: this is a row of fine-tuning"},
		{"", prompt, document, "val.jsonl line 1: \"input\" is a row of continued pre-training"},
		{"", prompt, chatLine("u", "a"), ""},
	} {
		checker := Checker{Customization: c.customization}
		r, err := checker.Check(t.Context(), pebbleDir, 64, text("s3://b/train.jsonl", c.train), []Source{text("s3://b/val.jsonl", c.validation)})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Err(); c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%q: %v, want %q", c.customization, err, c.want)
		}
	}
}

// withTemplate is Pebble's tokenizer with a chat template.
func withTemplate(t *testing.T, template string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{tokenizer.File, chattemplate.ConfigFile} {
		if err := durable.CopyFile(filepath.Join(dir, name), filepath.Join(pebbleDir, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, chattemplate.TemplateFile), []byte(template), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// forgetful leaves out all answers but the last, as templates do with earlier thoughts, and
// refuses to be shouted at.
const forgetful = `{% for m in messages %}{% if m.content == 'SHOUT' %}{{ raise_exception('Do not shout.') }}{% endif %}` +
	`{{ '<|bos|>' ~ m.role ~ ': ' ~ (m.content if loop.last or m.role == 'user' else '(said)') ~ '<|eos|>' }}{% endfor %}` +
	`{% if add_generation_prompt %}{{ '<|bos|>assistant: ' }}{% endif %}`

// TestReportOfATemplate: what a model's template refuses is a mistake in that line, and answers
// that it does not let be trained are counted.
func TestReportOfATemplate(t *testing.T) {
	t.Parallel()
	data := chatLine("a", "b", "c", "d") + chatLine("a", "b") + chatLine("SHOUT", "b") + chatLine("e", "f", "g", "h")
	r, err := (&Checker{}).Check(t.Context(), withTemplate(t, forgetful), 64, text("train.jsonl", data), nil)
	if err != nil {
		t.Fatal(err)
	}
	f := r.Files[0]
	if f.ProblemCount != 1 || f.Problems[0].String() != "line 3: the model's chat template refuses the conversation: Do not shout" {
		t.Errorf("problems %v", f.Problems)
	}
	if want := (Lines{2, []int{1, 4}}); f.Untrained.Count != want.Count || !slices.Equal(f.Untrained.Lines, want.Lines) {
		t.Errorf("untrained %v", f.Untrained)
	}
	if !slices.ContainsFunc(r.Warnings, func(w string) bool { return strings.Contains(w, "2 rows (line 1, 4)") }) {
		t.Errorf("warnings %q", r.Warnings)
	}
	_, err = (&Checker{}).Check(t.Context(), withTemplate(t, "{% if %}"), 64, text("train.jsonl", data), nil)
	if outcrop.CodeOf(err) != outcrop.CodeModelError || !strings.Contains(err.Error(), "chat template cannot be used") || !strings.Contains(err.Error(), chattemplate.TemplateFile) {
		t.Errorf("error %v", err)
	}
}
