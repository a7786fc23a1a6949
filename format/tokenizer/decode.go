package tokenizer

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// step is one decoder of the file over a stream of tokens: it takes them one by one and
// passes on what is certain. Steps that join tokens pass on parts of one token.
type step interface {
	push(s string, next func(string))
	flush(next func(string)) // the end: afterwards the step is as new
}

// stepMaker makes a step for one stream. joined: what it gets are parts of one token.
type stepMaker struct {
	make  func(w *work) step
	joins bool // what it passes on are parts of one token
	// middle is what becomes of a token, as bytes, inside a text.
	middle func(b []byte, w *work) ([]byte, error)
	regex  *regexFinder // that it looks for, if any
}

// jsonDecoder is a decoder of the file: the fields of all types.
type jsonDecoder struct {
	Type           string        `json:"type"`
	Decoders       []jsonDecoder `json:"decoders"`
	Replacement    string        `json:"replacement"`
	PrependScheme  string        `json:"prepend_scheme"`
	AddPrefixSpace *bool         `json:"add_prefix_space"`
	Pattern        pattern       `json:"pattern"`
	Content        string        `json:"content"`
	Start          int           `json:"start"`
	Stop           int           `json:"stop"`
	Prefix         string        `json:"prefix"`
	Cleanup        bool          `json:"cleanup"`
	Suffix         string        `json:"suffix"`
}

// readDecoder reads the decoder. A file without one would have tokens joined by spaces; where
// they are bytes, we decode them as such, because nobody wants to read anything else.
func (t *Tokenizer) readDecoder(f *file) (err error) {
	switch {
	case f.Decoder != nil:
		err = t.addSteps(*f.Decoder, 0)
	case t.raw:
		t.steps = []stepMaker{byteDecoder}
	default:
		t.steps = []stepMaker{changeToken(func(i int, s string) string {
			if i > 0 {
				s = " " + s
			}
			return s
		})}
	}
	if err == nil && len(t.steps) > partsMax {
		err = fmt.Errorf("decoder: %d of them, more than %d", len(t.steps), partsMax)
	}
	if err == nil {
		err = t.readBytes()
	}
	return err
}

// readBytes sets what each token stands for inside a text.
func (t *Tokenizer) readBytes() (err error) {
	size := 0
	for _, content := range t.content {
		size += len(content) + tokenWork
	}
	w := newWork(context.Background())
	w.grow(size)
	defer w.watch.stop()
	t.bytes = make([][]byte, len(t.content))
	made := 0
	for id, content := range t.content {
		if !t.exists[id] || t.IsSpecial(int32(id)) {
			continue
		}
		if t.bytes[id], err = t.middle(content, w); err != nil {
			return fmt.Errorf("decoder: token %.40q: %w", content, err)
		}
		if made += len(t.bytes[id]); w.fits(made) != nil {
			return fmt.Errorf("decoder: all tokens: %w", w.fits(made))
		}
	}
	return nil
}

func (t *Tokenizer) middle(content string, w *work) (b []byte, err error) {
	b = []byte(content)
	for _, s := range t.steps {
		if err := w.spend(len(b)); err != nil {
			return nil, err
		}
		if s.middle == nil {
			continue
		}
		if b, err = s.middle(b, w); err != nil {
			return nil, err
		}
		if err := w.fits(len(b)); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (t *Tokenizer) addSteps(d jsonDecoder, depth int) error {
	if d.Type != "Sequence" {
		s, err := newStep(d)
		if err != nil {
			return fmt.Errorf("decoder %s: %w", d.Type, err)
		}
		if n := len(t.steps); n > 0 && t.steps[n-1].joins {
			s = s.whole()
		}
		t.steps = append(t.steps, s)
		return nil
	}
	if depth >= nestingMax {
		return fmt.Errorf("decoder Sequence: nested %d deep", depth+1)
	}
	for _, e := range d.Decoders {
		if err := t.addSteps(e, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func newStep(d jsonDecoder) (stepMaker, error) {
	switch d.Type {
	case "ByteLevel":
		return byteDecoder, nil
	case "ByteFallback":
		return stepMaker{make: func(*work) step { return &byteFallback{} }, middle: fallbackMiddle}, nil
	case "Fuse":
		return stepMaker{make: func(*work) step { return fuse{} }, joins: true}, nil
	case "Metaspace":
		return newMetaspaceDecoder(d)
	case "Replace":
		return newReplaceDecoder(d)
	case "Strip":
		return newStripDecoder(d)
	case "WordPiece":
		return wordPieceDecoder(d), nil
	case "BPEDecoder":
		return stepMaker{
			make: func(*work) step { return &suffixDecoder{suffix: d.Suffix} },
			middle: func(b []byte, _ *work) ([]byte, error) {
				return bytes.ReplaceAll(b, []byte(d.Suffix), []byte(" ")), nil
			},
		}, nil
	}
	return stepMaker{}, fmt.Errorf("not supported")
}

// whole returns m for input that comes in parts of one token: fuse as it is, strip with its
// own way, any other waits for the end.
func (m stepMaker) whole() stepMaker {
	switch m.make(nil).(type) {
	case fuse:
		return m
	case *stripEach:
		return stepMaker{make: func(w *work) step { return &stripJoined{stripEach: *m.make(w).(*stripEach)} }, joins: true}
	}
	make := m.make
	m.make, m.joins = func(w *work) step { return &held{step: make(w)} }, true
	return m
}

// held collects one token from its parts.
type held struct {
	step
	parts strings.Builder
	any   bool
}

func (h *held) push(s string, _ func(string)) {
	h.parts.WriteString(s)
	h.any = true
}

func (h *held) flush(next func(string)) {
	if h.any {
		h.step.push(h.parts.String(), next)
	}
	h.step.flush(next)
	h.parts.Reset()
	h.any = false
}

// each changes every token by itself and its place in the stream.
type each struct {
	change func(i int, s string, w *work) (string, error)
	work   *work
	n      int
}

func (e *each) push(s string, next func(string)) {
	s, err := e.change(e.n, s, e.work)
	e.n++
	if e.work.failed = cmp.Or(e.work.failed, err); e.work.failed == nil {
		next(s)
	}
}

func (e *each) flush(func(string)) { e.n = 0 }

// eachToken is the maker of each.
func eachToken(change func(i int, s string, w *work) (string, error)) stepMaker {
	return stepMaker{
		make: func(w *work) step { return &each{change: change, work: w} },
		middle: func(b []byte, w *work) ([]byte, error) {
			s, err := change(1, string(b), w)
			return []byte(s), err
		},
	}
}

// changeToken is eachToken for what makes no more than a few bytes of one.
func changeToken(change func(i int, s string) string) stepMaker {
	return eachToken(func(i int, s string, _ *work) (string, error) { return change(i, s), nil })
}

// byteDecoder is ByteLevel: characters become the bytes that they stand for, and bytes text.
var byteDecoder = stepMaker{
	make:  func(*work) step { return &byteLevelDecoder{} },
	joins: true,
	middle: func(b []byte, _ *work) ([]byte, error) {
		b, _ = decodeByteLevel(string(b))
		return b, nil
	},
}

type byteLevelDecoder struct {
	tail []byte // the beginning of a character, at most 3 bytes
}

func (d *byteLevelDecoder) push(s string, next func(string)) {
	b, _ := decodeByteLevel(s)
	d.tail = append(d.tail, b...)
	end := wholeRunes(d.tail)
	if end > 0 {
		next(lossy(d.tail[:end]))
	}
	d.tail = append(d.tail[:0], d.tail[end:]...)
}

func (d *byteLevelDecoder) flush(next func(string)) {
	if len(d.tail) > 0 {
		next(lossy(d.tail))
	}
	d.tail = d.tail[:0]
}

// wholeRunes returns the length of b without a character that has only begun.
func wholeRunes(b []byte) int {
	for i := len(b) - 1; i >= 0 && i > len(b)-utf8.UTFMax; i-- {
		if utf8.RuneStart(b[i]) {
			if !utf8.FullRune(b[i:]) {
				return i
			}
			break
		}
	}
	return len(b)
}

// lossy returns b as UTF-8. What is not becomes U+FFFD: one for each beginning of a character
// that breaks off, else one for each byte (the Unicode standard's maximal subparts, 3.9).
func lossy(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	out := make([]byte, 0, len(b)+8)
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		for r == utf8.RuneError && size < len(b) && !utf8.FullRune(b[:size+1]) {
			size++ // still the beginning of a character
		}
		out = utf8.AppendRune(out, r)
		b = b[size:]
	}
	return string(out)
}

// byteFallback turns runs of tokens such as <0xE4> into text: U+FFFD for each if they are
// none together. So a run is certain only at its end.
type byteFallback struct{ run []byte }

func (d *byteFallback) push(s string, next func(string)) {
	if b, ok := fallbackByte(s); ok {
		d.run = append(d.run, b)
		return
	}
	d.flush(next)
	next(s)
}

func (d *byteFallback) flush(next func(string)) {
	if utf8.Valid(d.run) {
		if len(d.run) > 0 {
			next(string(d.run))
		}
	} else {
		for range d.run {
			next(string(utf8.RuneError))
		}
	}
	d.run = d.run[:0]
}

// fallbackByte returns the byte of a token such as <0x0A>.
func fallbackByte(s string) (byte, bool) {
	if len(s) != 6 || s[:3] != "<0x" || s[5] != '>' {
		return 0, false
	}
	digits := s[3:5]
	if digits[0] == '+' { // which the reference's parser takes
		digits = digits[1:]
	}
	b, err := strconv.ParseUint(digits, 16, 8)
	return byte(b), err == nil
}

func fallbackMiddle(b []byte, _ *work) ([]byte, error) {
	if c, ok := fallbackByte(string(b)); ok {
		return []byte{c}, nil
	}
	return b, nil
}

// fuse makes one token of all.
type fuse struct{}

func (fuse) push(s string, next func(string)) { next(s) }
func (fuse) flush(func(string))               {}

func newMetaspaceDecoder(d jsonDecoder) (stepMaker, error) {
	m, err := readMetaspace(d.Replacement, d.PrependScheme, d.AddPrefixSpace)
	return changeToken(func(i int, s string) string {
		if i == 0 && m.scheme != "never" {
			return strings.ReplaceAll(s, m.replacement, "")
		}
		return strings.ReplaceAll(s, m.replacement, " ")
	}), err
}

func newReplaceDecoder(d jsonDecoder) (stepMaker, error) {
	f, err := newFinder(d.Pattern)
	if err != nil {
		return stepMaker{}, err
	}
	m := eachToken(func(_ int, s string, w *work) (string, error) {
		if s == "" {
			return s, nil
		}
		spans, err := f.find(s, nil, w)
		if err != nil {
			return s, err
		}
		p, err := replaceSpans(piece{text: s}, spans, d.Content, w)
		return p.text, err
	})
	m.regex, _ = f.(*regexFinder)
	return m, nil
}

func wordPieceDecoder(d jsonDecoder) stepMaker {
	return changeToken(func(i int, s string) string {
		if rest, ok := strings.CutPrefix(s, d.Prefix); i > 0 && ok {
			s = rest
		} else if i > 0 {
			s = " " + s
		}
		if d.Cleanup {
			s = cleanup(s)
		}
		return s
	})
}

// cleanup takes back the spaces that English does not put, in the reference's order.
func cleanup(s string) string {
	for _, r := range [...][2]string{{" .", "."}, {" ?", "?"}, {" !", "!"}, {" ,", ","}, {" ' ", "'"}, {" n't", "n't"},
		{" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}} {
		s = strings.ReplaceAll(s, r[0], r[1])
	}
	return s
}

// suffixDecoder is BPEDecoder: a word's end is a space, but not the last one.
type suffixDecoder struct {
	suffix string
	last   string
	any    bool
}

func (d *suffixDecoder) push(s string, next func(string)) {
	if d.any {
		next(strings.ReplaceAll(d.last, d.suffix, " "))
	}
	d.last, d.any = s, true
}

func (d *suffixDecoder) flush(next func(string)) {
	if d.any {
		next(strings.ReplaceAll(d.last, d.suffix, ""))
	}
	d.last, d.any = "", false
}
