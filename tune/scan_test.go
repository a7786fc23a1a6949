package tune

import (
	"strings"
	"testing"

	"outcrop.dev/outcrop/format/dataset"
)

// TestPanicIsOneRows: rows are rendered in goroutines of the server, which must outlive a bug there.
func TestPanicIsOneRows(t *testing.T) {
	t.Parallel()
	broken := &scanner{} // without a template
	for _, row := range []dataset.Row{
		{Line: 3, Format: dataset.Documents, Text: "text"},
		{Line: 3, Format: dataset.Completions, Messages: []dataset.Message{{Role: "user", Text: "a"}, {Role: "assistant", Text: "b"}}},
	} {
		if out := broken.measureRow(row); out.line != 3 || out.bad == nil || !strings.Contains(out.bad.Error(), "fault of Outcrop") {
			t.Errorf("got %+v", out)
		}
	}
}
