package tokenizer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Check tries the parts of a file on texts that a hostile one, or a careless one, makes too much of or
// takes too long for. It takes a fraction of a second, and is for the time when a model is added: any
// text is bounded again when it is encoded. The error says which part it is, and wraps a *CostError.
func (t *Tokenizer) Check() error {
	for _, f := range t.patterns() {
		if err := f.check(); err != nil {
			return err
		}
	}
	for _, text := range t.growing() {
		var cost *CostError
		if _, err := t.Encode(text); errors.As(err, &cost) {
			return fmt.Errorf("a text of %d × %.20q: %w", len(text)/len(firstRune(text)), firstRune(text), err)
		}
	}
	return nil
}

func firstRune(s string) string {
	_, size := utf8.DecodeRuneInString(s)
	return s[:size]
}

// patterns returns the regular expressions of the file.
func (t *Tokenizer) patterns() (all []*regexFinder) {
	add := func(f finder) {
		if r, ok := f.(*regexFinder); ok {
			all = append(all, r)
		}
	}
	for _, n := range t.normalizers {
		if r, ok := n.(replacer); ok {
			add(r.finder)
		}
	}
	for _, s := range t.stages {
		if s, ok := s.(splitStage); ok {
			add(s.finder)
		}
	}
	for _, s := range t.steps {
		if s.regex != nil {
			add(s.regex)
		}
	}
	return all
}

const (
	// badBytes is the length of a text that a pattern is tried on: one that backtracks exponentially, or
	// with the third power, does not end; one that takes the square of it has a tenth of the time.
	badBytes = 1 << 10
	// literalsMax is how many characters of a pattern are tried beside the usual ones.
	literalsMax = 32
	// growBytes is the length of a text of one character that normalizers are tried on: they may make the
	// seventyfold of it.
	growBytes = 16 << 10
	// growMax is how many characters they are tried on.
	growMax = 64
)

// badUnits are what patterns are often ambiguous about, one after the other many times.
var badUnits = []string{"a", "A", "aA", "0", " ", "\n", "\t", "\r\n", " \n", "_", "-", ".", ",", "'", "'s", "/", "<", "é", "中", "é́",
	"a ", " a", "a1", "ab", "a-", "a.", "a'", "0,", "  a"}

// badEnds end a text so that what has matched does not match after all.
var badEnds = []string{"", "!", "\n", "b", "\x00"}

// check tries a pattern on a fixed set of bad texts.
func (f *regexFinder) check() error {
	units := badUnits
	for _, r := range f.pattern {
		if len(units) < len(badUnits)+literalsMax && !strings.ContainsRune(`\()[]{}|?*+^$`, r) {
			units = append(units[:len(units):len(units)], string(r))
		}
	}
	for _, unit := range units {
		for _, end := range badEnds {
			text := strings.Repeat(unit, badBytes/len(unit)) + end
			w := newWork(context.Background())
			w.grow(len(text))
			_, err := f.find(text, nil, w)
			w.watch.stop()
			if err != nil {
				return fmt.Errorf("a text of %d × %q and %q: %w", badBytes/len(unit), unit, end, err)
			}
		}
	}
	return nil
}

// growing returns texts of the characters that normalizers look for, and one of all characters.
func (t *Tokenizer) growing() (texts []string) {
	var chars strings.Builder
	for _, n := range t.normalizers {
		r, ok := n.(replacer)
		if !ok {
			continue
		}
		if s, ok := r.finder.(stringFinder); ok && s != "" && len(texts) < growMax {
			texts = append(texts, strings.Repeat(string(s), max(growBytes/len(s), 1)), string(s))
		}
	}
	for r := rune(1); r < 0x3000; r++ {
		chars.WriteRune(r)
	}
	for r := rune(0xf900); r < 0x10000; r++ {
		chars.WriteRune(r)
	}
	return append(texts, " ", "a", strings.Repeat(" ", growBytes), strings.Repeat("ﷺ", growBytes/len("ﷺ")), chars.String())
}
