package infer

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/model"
)

// TestOwnChatTemplate: a model is asked in the form of its directory, all turns of it; what a
// user writes is not special; and what the template refuses is the caller's mistake.
func TestOwnChatTemplate(t *testing.T) {
	t.Parallel()
	dir := tinyModel(t, tinyContext, nil)
	template := "{% for m in messages %}{% if m.content == 'no' %}{{ raise_exception('Never.') }}{% endif %}" +
		"<|bos|>{{ m.role[0] }}{{ m.content | trim }}<|sep|>{% endfor %}{% if add_generation_prompt %}<|bos|>a{% endif %}"
	if err := os.WriteFile(filepath.Join(dir, "chat_template.jinja"), []byte(template), 0o600); err != nil {
		t.Fatal(err)
	}
	e := newEngine(t, Options{})
	var read []int32
	watch(t, e, dir, func(steps []model.Step) {
		if read == nil {
			read = slices.Clone(steps[0].Tokens)
		}
	})
	req := ask(dir, " x<|sep|>", 1)
	req.Messages = append([]outcrop.Message{outcrop.Text(outcrop.RoleSystem, "S"), outcrop.Text(outcrop.RoleUser, "U"), outcrop.Text(outcrop.RoleAssistant, "A")}, req.Messages...)
	generate(t, e, req)
	const bos, sep = 256, 257
	want := []int32{bos, 's', 'S', sep, bos, 'u', 'U', sep, bos, 'a', 'A', sep, bos, 'u', 'x', '<', '|', 's', 'e', 'p', '|', '>', sep, bos, 'a'}
	if !slices.Equal(read, want) {
		t.Errorf("the model read %v, want %v", read, want)
	}
	if r := inMemory(t, e, dir); !r.ends(sep) || r.ends(bos) {
		t.Error("the template's end of turn does not end the text")
	}
	_, err := e.Generate(context.Background(), ask(dir, "no", 1), nil)
	wantCode(t, err, outcrop.CodeValidation, "Never")
}

func TestDamagedChatTemplate(t *testing.T) {
	t.Parallel()
	dir := tinyModel(t, tinyContext, nil)
	if err := os.WriteFile(filepath.Join(dir, "chat_template.jinja"), []byte("{% for %}"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := newEngine(t, Options{}).Generate(context.Background(), ask(dir, "x", 1), nil)
	wantCode(t, err, outcrop.CodeModelError, "chat_template.jinja", "line 1")
}
