package infer

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		stop    []string
		tokens  []string
		pieces  string // what is shown after each token and at the end, joined by |
		stopped bool
	}{
		{"no stop", nil, []string{"ab", "c"}, "ab|c|", false},
		{"no tokens", []string{"x"}, nil, "", false},
		{"within a token", []string{"STOP"}, []string{"one STOP two"}, "one ", true},
		{"straddles two tokens", []string{"User:"}, []string{"fine\nUs", "er: no"}, "fine\n|", true},
		{"straddles many", []string{"abcd"}, []string{"x", "a", "b", "c", "d"}, "x||||", true},
		{"begun and abandoned", []string{"abcd"}, []string{"ab", "cx"}, "|abcx|", false},
		{"begun anew inside itself", []string{"aab"}, []string{"a", "a", "a", "b"}, "||a|", true},
		{"begun at the end", []string{"abc"}, []string{"zab"}, "z|ab", false},
		{"first of several wins", []string{"cc", "b"}, []string{"abcc"}, "a", true},
		{"a stop that begins another", []string{"ab", "abc"}, []string{"xabc"}, "x", true},
		{"empty stops are ignored", []string{""}, []string{"ab"}, "ab|", false},
		{"a stop of several bytes a character", []string{"é"}, []string{"xé", "y"}, "x", true},
		{"not half a character", []string{"🌲"}, []string{"🌱"}, "🌱|", false},
	} {
		tx := newText(c.stop)
		var got []string
		stopped := false
		for _, tok := range c.tokens {
			var p string
			p, stopped = tx.add(tok)
			got = append(got, p)
			if stopped {
				break
			}
		}
		if !stopped {
			got = append(got, tx.end())
		}
		if s := strings.Join(got, "|"); s != c.pieces || stopped != c.stopped {
			t.Errorf("%s: got %q, stopped %v; want %q, %v", c.name, s, stopped, c.pieces, c.stopped)
		}
	}
}

// TestTextAgainstDefinition compares with the definition: the whole text, cut before
// the stop sequence that is complete first, however it was cut into pieces.
func TestTextAgainstDefinition(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	letters := []string{"a", "b", "é", "🌲", "\n"}
	word := func(n int) string {
		var b strings.Builder
		for range n {
			b.WriteString(letters[r.IntN(len(letters))])
		}
		return b.String()
	}
	for range 5000 {
		whole := word(r.IntN(20))
		stops := []string{word(1 + r.IntN(3)), word(1 + r.IntN(3))}
		want := whole
		for n := range len(whole) + 1 {
			if i, ok := endsWith(whole[:n], stops); ok {
				want = whole[:i]
				break
			}
		}
		tx := newText(stops)
		var got strings.Builder
		rest, stopped := []rune(whole), false
		for len(rest) > 0 && !stopped {
			n := 1 + r.IntN(min(4, len(rest)))
			var p string
			p, stopped = tx.add(string(rest[:n]))
			if !utf8.ValidString(p) {
				t.Fatalf("piece %q is not UTF-8", p)
			}
			got.WriteString(p)
			rest = rest[n:]
		}
		if !stopped {
			got.WriteString(tx.end())
		}
		if got.String() != want {
			t.Fatalf("text %q, stops %q: got %q, want %q", whole, stops, got.String(), want)
		}
	}
}

// endsWith returns where the longest of the stops that end s begins.
func endsWith(s string, stops []string) (start int, ok bool) {
	start = len(s)
	for _, stop := range stops {
		if strings.HasSuffix(s, stop) {
			start, ok = min(start, len(s)-len(stop)), true
		}
	}
	return start, ok
}

// TestTextHoldsBackOnlyBeginnings: what can be shown is shown at once.
func TestTextHoldsBackOnlyBeginnings(t *testing.T) {
	t.Parallel()
	tx := newText([]string{"</answer>"})
	if p, _ := tx.add("4 < 5"); p != "4 < 5" {
		t.Errorf("got %q at once", p)
	}
	if p, _ := tx.add(" <"); p != " " {
		t.Errorf("got %q at once", p)
	}
}
