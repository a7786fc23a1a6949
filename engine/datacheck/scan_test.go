package datacheck

import (
	"strings"
	"testing"

	"outcrop.dev/outcrop/format/chat"
	"outcrop.dev/outcrop/format/chattemplate"
	"outcrop.dev/outcrop/format/dataset"
)

// TestPanicIsOneRows: rows are rendered in goroutines of the server, which must outlive a bug there.
func TestPanicIsOneRows(t *testing.T) {
	t.Parallel()
	broken := &scanner{} // without a template
	for _, row := range []dataset.Row{
		{Line: 3, Format: dataset.Documents, Text: "text"},
		{Line: 3, Format: dataset.Completions, Messages: []chat.Message{chat.Text(chat.User, "a"), chat.Text(chat.Assistant, "b")}},
	} {
		if out := broken.measureRow(row); out.line != 3 || out.bad == nil || !strings.Contains(out.bad.Error(), "fault of Outcrop") {
			t.Errorf("got %+v", out)
		}
	}
}

// TestRowWithoutTokens: a tokenizer may drop all that a text has.
func TestRowWithoutTokens(t *testing.T) {
	t.Parallel()
	f := fileCheck{context: 8, own: newSeen(), keep: true}
	end := chattemplate.Example{Tokens: []int32{2}, Trained: []bool{false}}
	f.add(scanned{line: 1, format: dataset.Documents, example: end})
	if f.bad != 1 || f.NoLabel != 1 || len(f.examples) != 0 {
		t.Errorf("only the end of a text: %+v", f)
	}
	f.add(scanned{line: 2, format: dataset.Documents, example: chattemplate.Example{Tokens: []int32{7, 2}, Trained: []bool{false, true}}})
	if f.bad != 1 || f.packer.Rows != 1 || len(f.examples) != 1 {
		t.Errorf("one token and the end: %+v", f)
	}
}
