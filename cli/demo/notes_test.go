package demo

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSetsHoldWhatTheReadmeSays(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for name, want := range map[string]int{"train": 5000, "validation": 500, "test": 500} {
		rows, err := firstRows(name, 1<<20)
		if err != nil || len(rows) != want {
			t.Fatalf("%s has %d rows, %v, want %d", name, len(rows), err, want)
		}
		for i, r := range rows {
			if !strings.HasPrefix(r.Prompt, "Summarize this patient note: ") || r.Completion == "" {
				t.Fatalf("%s row %d: %+v", name, i, r)
			}
			if other, ok := seen[r.Prompt]; ok {
				t.Fatalf("%s row %d stands in %s too", name, i, other)
			}
			seen[r.Prompt] = name
		}
	}
}

func TestExtractWritesPlainFiles(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made")
	if err := Extract(dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range Sets {
		got, err := os.ReadFile(filepath.Join(dir, name+".jsonl"))
		want, setErr := Set(name)
		if err != nil || setErr != nil || !bytes.Equal(got, want) || len(want) == 0 {
			t.Errorf("%s: %d bytes, %v, want %d, %v", name, len(got), err, len(want), setErr)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "README.md")); err != nil {
		t.Error(err)
	}
}

func TestFirstLines(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   string
		n    int
		want string
	}{{"a\nb\nc\n", 2, "a\nb\n"}, {"a\nb", 2, "a\nb"}, {"a\nb", 1, "a\n"}, {"", 3, ""}, {"a\n", 0, ""}} {
		if got := firstLines([]byte(c.in), c.n); string(got) != c.want {
			t.Errorf("firstLines(%q, %d) = %q, want %q", c.in, c.n, got, c.want)
		}
	}
}
