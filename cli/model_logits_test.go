package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"outcrop.dev/outcrop/internal/tinymodel"
)

// logits runs the command and returns what it prints as JSON.
func logits(t *testing.T, args ...string) (out modelLogits) {
	t.Helper()
	b := runOK(t, append([]string{"model", "logits", "--output", "json"}, args...)...)
	if err := json.Unmarshal([]byte(b), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func runOK(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if code := Main(args, strings.NewReader(""), &out, &errs); code != exitOK {
		t.Fatalf("%v: exit code %d: %s", args, code, &errs)
	}
	return out.String()
}

// TestModelLogits: the logits after the last token are the same alone and among all, text is
// its tokens, and the table says what the numbers say.
func TestModelLogits(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := tinymodel.Write(dir); err != nil {
		t.Fatal(err)
	}
	byText := logits(t, dir, "--text", "Hello there")
	ids := strings.Trim(strings.ReplaceAll(fmt.Sprint(byText.Tokens), " ", ","), "[]")
	all := logits(t, dir, "--tokens", ids, "--all")
	if !slices.Equal(all.Tokens, byText.Tokens) || len(all.Positions) != len(all.Tokens) {
		t.Fatalf("%d positions of tokens %v, the text has %v", len(all.Positions), all.Tokens, byText.Tokens)
	}
	last, alone := all.Positions[len(all.Positions)-1], byText.Positions[0]
	if last.Position != alone.Position || !slices.Equal(last.Logits, alone.Logits) {
		t.Error("the logits after the last token are others among all than alone")
	}
	best := slices.Index(last.Logits, slices.Max(last.Logits))
	table := runOK(t, "model", "logits", dir, "--tokens", ids, "--top", "2")
	rows := strings.Split(strings.TrimSpace(table), "\n")
	if len(rows) != 3 || !slices.Equal(strings.Fields(rows[1])[:2], []string{fmt.Sprint(last.Position), fmt.Sprint(best)}) {
		t.Errorf("token %d is the likeliest after position %d, the table says\n%s", best, last.Position, table)
	}
}

func TestModelLogitsOfNothing(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	code := Main([]string{"model", "logits", "x", "--text", ""}, strings.NewReader(""), &out, &errs)
	if code != exitUsage || !strings.Contains(errs.String(), "--text is empty") {
		t.Errorf("exit code %d: %s", code, &errs)
	}
}

func TestLikeliest(t *testing.T) {
	t.Parallel()
	p := tokensLogits{Position: 7, Logits: []float32{1, 3, 2, 3, -1000}}
	rows := likeliest(p, 9, func(id int32) string { return fmt.Sprint("w", id) })
	one := math.E * math.E * math.E
	sum := 2*one + math.E*math.E + math.E
	want := [][]any{
		{7, int32(1), "w1", "3.0000", fmt.Sprintf("%.4f", one/sum)},
		{7, int32(3), "w3", "3.0000", fmt.Sprintf("%.4f", one/sum)},
		{7, int32(2), "w2", "2.0000", fmt.Sprintf("%.4f", math.E*math.E/sum)},
		{7, int32(0), "w0", "1.0000", fmt.Sprintf("%.4f", math.E/sum)},
		{7, int32(4), "w4", "-1000.0000", "0.0000"},
	}
	if !slices.EqualFunc(rows, want, func(a, b []any) bool { return slices.Equal(a, b) }) {
		t.Errorf("got %v\nwant %v", rows, want)
	}
}
