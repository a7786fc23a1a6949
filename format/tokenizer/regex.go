package tokenizer

import (
	"fmt"
	"sync"
	"unicode/utf8"

	"github.com/dlclark/regexp2/v2"
)

// regexFinder is a pattern of the file, the general case of a finder. It is compiled for each class
// of texts, because a compiled pattern has one limit of time: for texts below classSize, below its
// double, and so on.
type regexFinder struct {
	pattern string
	class   [sizeClasses]func() (*regexp2.Regexp, error)
}

const (
	classSize   = int(matchTime/matchTimePerByte) * 2
	sizeClasses = 8
)

// setClock makes the clock of the library as fine as matchTick, before it runs.
var setClock = sync.OnceFunc(func() { regexp2.SetTimeoutCheckPeriod(matchTick) })

func newRegexFinder(pattern string) (*regexFinder, error) {
	setClock()
	f := &regexFinder{pattern: pattern}
	for i := range f.class {
		f.class[i] = sync.OnceValues(func() (*regexp2.Regexp, error) {
			// Multiline, because ^ and $ are those of lines in Oniguruma's syntax, which files are written in.
			re, err := regexp2.Compile(withNewCharacters(pattern), regexp2.Multiline)
			if err == nil {
				re.MatchTimeout = matchLimit(classSize << i / 2)
			}
			return re, err
		})
	}
	if _, err := f.class[0](); err != nil {
		return nil, fmt.Errorf("pattern %q: %w", pattern, err)
	}
	return f, nil
}

// compiled returns the pattern for a text of that size.
func (f *regexFinder) compiled(size int) (*regexp2.Regexp, error) {
	i := 0
	for i < len(f.class)-1 && size >= classSize<<i {
		i++
	}
	return f.class[i]()
}

func (f *regexFinder) find(text string, spans []span, w *work) ([]span, error) {
	re, err := f.compiled(w.size)
	if err != nil {
		return nil, err
	}
	s := &w.watch
	s.runes = s.runes[:0]
	for _, r := range text {
		s.runes = append(s.runes, r)
	}
	for w.ctx.Err() == nil {
		s.start()
		all, whole := match(re, text, spans, s.runes, func() bool { return s.late(w.ctx) })
		s.rest()
		switch {
		case s.used > s.limit:
			return nil, &CostError{fmt.Sprintf("has a pattern that takes too long: %.80q takes more than %v for a text of %d bytes", f.pattern, matchAllowed(w.size), w.size)}
		case whole:
			return all, nil
		}
		s.exact = true // a match has taken long: again, with an eye on the processor
	}
	return nil, w.ctx.Err()
}

// match appends what a pattern finds in a text, whose characters are runes. It is not whole if
// late said that it is, or the pattern's limit has passed.
func match(re *regexp2.Regexp, text string, spans []span, runes []rune, late func() bool) (all []span, whole bool) {
	at, char := 0, 0 // bytes and characters up to the end of the last match
	ascii := len(runes) == len(text)
	forward := func(to int) int {
		if ascii {
			at, char = to, to
		}
		for ; char < to; char++ {
			_, size := utf8.DecodeRuneInString(text[at:])
			at += size
		}
		return at
	}
	whole = true
	err := re.FindRunesMatches(runes, 0, func(m regexp2.MatchView) bool {
		index, n, _ := m.GroupRange(0)
		before := at
		start := forward(index)
		spans = append(appendGap(spans, before, start), span{start, forward(index + n), true})
		whole = !late()
		return whole
	})
	return appendGap(spans, at, len(text)), whole && err == nil
}
