package tokenizer

import (
	"fmt"
	"strings"
)

// stripEach takes up to start times char off the beginning of each token, and up to stop
// times off its end.
type stripEach struct {
	char        string
	start, stop int
}

// stripMax bounds start and stop, by which the stream is held back; published files have 1.
const stripMax = 1024

func newStripDecoder(d jsonDecoder) (stepMaker, error) {
	char, err := oneChar("content", d.Content)
	if err == nil && (d.Start < 0 || d.Start > stripMax || d.Stop < 0 || d.Stop > stripMax) {
		err = fmt.Errorf("start %d, stop %d: at most %d", d.Start, d.Stop, stripMax)
	}
	return stepMaker{make: func(*work) step { return &stripEach{char, d.Start, d.Stop} }}, err
}

func (d *stripEach) push(s string, next func(string)) {
	s, _ = cutLeft(s, d.char, d.start)
	next(cutRight(s, d.char, d.stop))
}

func (d *stripEach) flush(func(string)) {}

func cutLeft(s, char string, most int) (rest string, n int) {
	for n < most && strings.HasPrefix(s, char) {
		s = s[len(char):]
		n++
	}
	return s, n
}

func cutRight(s, char string, most int) string {
	for i := 0; i < most && strings.HasSuffix(s, char); i++ {
		s = s[:len(s)-len(char)]
	}
	return s
}

// stripJoined is stripEach for one token that comes in parts.
type stripJoined struct {
	stripEach
	begun bool
	taken int    // off the beginning
	tail  string // characters that the end may be, held back
}

func (d *stripJoined) push(s string, next func(string)) {
	if !d.begun {
		var n int
		s, n = cutLeft(s, d.char, d.start-d.taken)
		d.taken += n
		d.begun = d.taken == d.start || s != ""
	}
	s = d.tail + s
	kept := cutRight(s, d.char, d.stop)
	d.tail = s[len(kept):]
	if kept != "" {
		next(kept)
	}
}

func (d *stripJoined) flush(func(string)) { d.begun, d.taken, d.tail = false, 0, "" }
