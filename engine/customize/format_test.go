package customize

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"outcrop.dev/outcrop/engine/datacheck"
	"outcrop.dev/outcrop/format/chattemplate"
	"outcrop.dev/outcrop/format/dataset"
)

// withTemplate is the tiny model with a chat template.
func withTemplate(t *testing.T, template string) string {
	t.Helper()
	dir := copyOfTinyModel(t)
	if err := os.WriteFile(filepath.Join(dir, chattemplate.TemplateFile), []byte(template), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestRunOnConversations trains with a model's own template, which the tuned model carries on.
func TestRunOnConversations(t *testing.T) {
	t.Parallel()
	template := `{% for m in messages %}<|bos|>{{ m.role }}: {{ m.content }}<|eos|>{% endfor %}{% if add_generation_prompt %}<|bos|>assistant: {% endif %}`
	f, j := newFake(1), job(t, 1)
	j.ModelDir = withTemplate(t, template)
	var data strings.Builder
	for i := range 20 {
		data.WriteString(chatLine(fmt.Sprint("Is ", i, " red?"), "yes", "Sure?", "no"))
	}
	f.objects["s3://b/train.jsonl"], f.objects["s3://b/val0.jsonl"] = []byte(data.String()), []byte(chatLine("Is x red?", "yes"))
	p, err := Run(t.Context(), f, j, options())
	if err != nil {
		t.Fatal(err)
	}
	if p.Step != 9 || p.ValidationLosses[0] > 8.5 {
		t.Errorf("%+v", p)
	}
	if got := string(f.objects[prefix+"/model/"+chattemplate.TemplateFile]); got != template {
		t.Errorf("the tuned model's template is %q", got)
	}
	if card := string(f.objects[prefix+"/model/README.md"]); !strings.Contains(card, "in this form: the chat template of its directory") {
		t.Errorf("card:\n%s", card)
	}
}

// TestRunOnDocuments is continued pre-training: every token of every text is trained, a text
// that is longer than the context too.
func TestRunOnDocuments(t *testing.T) {
	t.Parallel()
	f, j := newFake(1), job(t, 1)
	long := strings.Repeat("round and round it goes ", 100)
	data := documentLine(long)
	for i := range 30 {
		data += documentLine(fmt.Sprintf("List %d is red and green and blue.", i))
	}
	f.objects["s3://b/train.jsonl"], f.objects["s3://b/val0.jsonl"] = []byte(data), []byte(documentLine("List x is red and green."))
	j.Train.BatchSize = 2
	p, err := Run(t.Context(), f, j, options())
	if err != nil {
		t.Fatal(err)
	}
	var report datacheck.Report
	if err := json.Unmarshal(f.objects[prefix+"/data_report.json"], &report); err != nil {
		t.Fatal(err)
	}
	file := report.Files[0]
	if file.Format != dataset.Documents || file.Rows != 31 || file.Length.Max <= j.ContextLength {
		t.Errorf("%+v", file)
	}
	if want := (file.Packs + 1) / 2 * 3; p.Step != want {
		t.Errorf("%d steps, want %d: %d packs", p.Step, want, file.Packs)
	}
	if trained := 3 * file.CompletionTokens; p.Tokens != trained {
		t.Errorf("%d tokens went through, %d are there to train", p.Tokens, trained)
	}
	if p.ValidationLosses[0] > 8.5 {
		t.Errorf("validation loss %v", p.ValidationLosses)
	}
	if card := string(f.objects[prefix+"/model/README.md"]); !strings.Contains(card, "every token of the documents") || !strings.Contains(card, "| s3://b/train.jsonl | 31 |") {
		t.Errorf("card:\n%s", card)
	}
}
