package tokenizer

import (
	"context"
	"sort"
	"strings"
	"unicode/utf8"
)

// Segment is a part of a text that is encoded as a whole: of a rendered chat template, say.
type Segment struct {
	Text string
	// Special: special tokens that Text spells are special tokens. Only for text that we
	// wrote, such as a template's; never for what a user did.
	Special bool
}

// Encode returns the ids of text, in which no special token is seen. It returns an error if
// text has a character that no token stands for and the file's unknown token is not in its
// vocabulary, a *CostError if the file makes too much of the text or takes too long for it, ErrTooLong
// if there is a Limit.
func (t *Tokenizer) Encode(text string) ([]int32, error) {
	return t.AppendEncode(make([]int32, 0, len(text)/3+1), text)
}

// AppendEncode is Encode that appends to ids.
func (t *Tokenizer) AppendEncode(ids []int32, text string) ([]int32, error) {
	e := encoder{t: t, out: output{ids: ids, tracked: t.alwaysTracked}}
	err := e.encode(text)
	return e.out.ids, err
}

// EncodeWithSpecials is Encode for text that we wrote: the special tokens that it spells are
// special tokens, as Hugging Face's tokenizers have it by default.
func (t *Tokenizer) EncodeWithSpecials(text string) ([]int32, error) {
	ids, _, err := t.EncodeSegments(Segment{text, true})
	return ids, err
}

// EncodeSegments returns the ids of the segments' texts joined together, exactly as if they
// were one text, and for each token the byte of that text where it begins. A token reaches
// to where the next one begins; one that something not in the text stands for (a normalizer's
// prefix, a template's space) may be empty. A special token is seen only where all of it lies
// in segments that allow it. Errors are Encode's.
func (t *Tokenizer) EncodeSegments(segments ...Segment) (ids []int32, starts []int, err error) {
	return t.EncodeApart(nil, segments...)
}

// EncodeApart is EncodeSegments with cuts: bytes of the joined text, in order, across which no
// token reaches, and no white space is swallowed. It is otherwise encoded as one text: nothing
// is put before what follows a cut. So the tokens before a cut are those of the text that ends
// there.
func (t *Tokenizer) EncodeApart(cuts []int, segments ...Segment) (ids []int32, starts []int, err error) {
	e := encoder{t: t, out: output{tracked: true}, cuts: cuts}
	var text strings.Builder
	for _, s := range segments {
		if s.Special && s.Text != "" {
			e.trust(text.Len(), text.Len()+len(s.Text))
		}
		text.WriteString(s.Text)
	}
	err = e.encode(text.String())
	return e.out.ids, e.starts, err
}

// encoder is one text being encoded.
type encoder struct {
	t       *Tokenizer
	text    string
	trusted [][2]int // where special tokens may be, in order
	cuts    []int    // that no token reaches across, in order
	out     output
	work    work  // where the tokenizer has none of the request
	starts  []int // of each token, if out.tracked
	use     func(piece) error
}

func (e *encoder) trust(start, end int) {
	if n := len(e.trusted); n > 0 && e.trusted[n-1][1] == start {
		e.trusted[n-1][1] = end
		return
	}
	e.trusted = append(e.trusted, [2]int{start, end})
}

// trusts reports whether all of the text from start to end may be a special token.
func (e *encoder) trusts(start, end int) bool {
	i := sort.Search(len(e.trusted), func(i int) bool { return end <= e.trusted[i][1] })
	return i < len(e.trusted) && start >= e.trusted[i][0]
}

func (e *encoder) encode(text string) error {
	w := e.t.work
	if w == nil {
		w = &e.work
		w.begin(context.Background())
	}
	w.tracked = e.out.tracked
	w.grow(len(text))
	defer w.watch.stop()
	e.text, e.out.work = text, w
	e.use = e.tokens
	for i := len(e.t.stages) - 1; i >= 0; i-- {
		stage, next := e.t.stages[i], e.use
		e.use = func(p piece) error {
			if err := w.pays(len(p.text)); err != nil {
				return err
			}
			return stage.each(p, w, next)
		}
	}
	done := 0
	err := e.t.added.find(text, w, e.trusts, func(a added) error {
		if a.start > done {
			if err := e.section(done, a.start); err != nil {
				return err
			}
		}
		e.add(a.id, a.start)
		done = e.cutSpace(a)
		return nil
	})
	if err == nil && done < len(text) {
		err = e.section(done, len(text))
	}
	if err == nil && e.full("") {
		err = ErrTooLong
	}
	return err
}

// cutSpace returns where an added token ends, without white space after a cut that it would
// swallow.
func (e *encoder) cutSpace(a added) int {
	for _, cut := range e.cuts {
		if a.start < cut && cut < a.end && strings.TrimSpace(e.text[cut:a.end]) == "" {
			return cut
		}
	}
	return a.end
}

func (e *encoder) add(id int32, start int) {
	e.out.ids = append(e.out.ids, id)
	if e.out.tracked {
		e.starts = append(e.starts, start)
	}
}

// section encodes text between two added tokens: it normalizes it and cuts out the added
// tokens that are looked for after that.
func (e *encoder) section(start, end int) error {
	p := piece{text: e.text[start:end], at: start}
	if !e.t.raw && !utf8.ValidString(p.text) {
		p, _ = mapper(utf8.AppendRune).apply(p, e.out.work)
	}
	p, err := e.t.normalize(p, e.out.work)
	if err != nil {
		return err
	}
	trusted := func(i, j int) bool {
		last, _ := utf8.DecodeLastRuneInString(p.text[:j])
		return e.trusts(p.position(i), p.position(j-utf8.RuneLen(last))+1)
	}
	done := 0
	err = e.t.addedNormalized.find(p.text, e.out.work, trusted, func(a added) error {
		if a.start > done {
			if err := e.apart(p.sub(done, a.start)); err != nil {
				return err
			}
		}
		e.add(a.id, p.position(a.start))
		done = a.end
		return nil
	})
	if err != nil || done >= len(p.text) {
		return err
	}
	return e.apart(p.sub(done, len(p.text)))
}

// apart passes on what is between cuts, each part for itself.
func (e *encoder) apart(p piece) error {
	for _, cut := range e.cuts {
		i := sort.Search(len(p.text), func(i int) bool { return p.position(i) >= cut })
		if i == 0 || i == len(p.text) {
			continue
		}
		if err := e.use(p.sub(0, i)); err != nil {
			return err
		}
		p = p.sub(i, len(p.text))
	}
	return e.use(p)
}

func (t *Tokenizer) normalize(p piece, w *work) (piece, error) {
	for _, n := range t.normalizers {
		if err := w.spend(len(p.text)); err != nil {
			return p, err
		}
		var err error
		if p, err = n.apply(p, w); err != nil {
			return p, err
		}
		if err := w.fits(len(p.text)); err != nil {
			return p, err
		}
	}
	return p, nil
}

// tokens is the last stage: the model.
func (e *encoder) tokens(p piece) error {
	if e.full(p.text) {
		return ErrTooLong
	}
	e.out.ends = e.out.ends[:0]
	if err := e.t.model.tokens(&e.out, p.text); err != nil {
		return err
	}
	start := 0
	for _, end := range e.out.ends { // none if not tracked
		e.starts = append(e.starts, p.position(start))
		start = end
	}
	return nil
}
