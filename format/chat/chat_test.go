package chat_test

import (
	"fmt"
	"testing"

	"outcrop.dev/outcrop/format/chat"
)

func Example() {
	question := chat.Message{Role: chat.User, Content: []chat.Part{{Text: "What is this?"}, {Text: "It is foliated."}}}
	answer := chat.Text(chat.Assistant, "Schist.")
	fmt.Printf("%s: %q\n", question.Role, question.Text())
	fmt.Printf("%s: %q\n", answer.Role, answer.Text())
	// Output:
	// user: "What is this?\nIt is foliated."
	// assistant: "Schist."
}

// TestText: only texts are text, and each part has the kind of what is set.
func TestText(t *testing.T) {
	t.Parallel()
	parts := map[chat.Kind]chat.Part{
		chat.KindText:       {},
		chat.KindToolUse:    {ToolUse: &chat.ToolUse{Name: "weather"}},
		chat.KindToolResult: {ToolResult: &chat.ToolResult{Content: []chat.Part{{Text: "rain"}}}},
		chat.KindReasoning:  {Reasoning: &chat.Reasoning{Text: "hm"}},
		chat.KindImage:      {Image: &chat.Image{Format: "png"}},
	}
	for kind, p := range parts {
		if got := p.Kind(); got != kind {
			t.Errorf("a %s is a %s", kind, got)
		}
		m := chat.Message{Role: chat.User, Content: []chat.Part{{Text: "a"}, p, {Text: "b"}}}
		want := "a\nb"
		if kind == chat.KindText {
			want = "a\n\nb"
		}
		if got := m.Text(); got != want {
			t.Errorf("with a %s the text is %q, want %q", kind, got, want)
		}
		if got := (chat.Message{Content: []chat.Part{p}}).Text(); got != "" {
			t.Errorf("a %s alone has the text %q", kind, got)
		}
	}
	if got := (chat.Message{Role: chat.User}).Text(); got != "" {
		t.Errorf("a message without content has the text %q", got)
	}
}
