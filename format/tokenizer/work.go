package tokenizer

import (
	"context"
	"fmt"
)

// A tokenizer.json comes from a stranger. So whatever its parts make of a text is bounded, and the
// work that they do for it: so many times the text, and a little for short ones.
const (
	// madePerByte bounds what a text grows to. Korean in decomposed form grows to the threefold, and
	// white space written as ▁ and then as characters for bytes to the sixfold.
	madePerByte = 8
	madeBase    = 1 << 20
	// workPerByte bounds the bytes that all parts read and look up. The parts of a published file read
	// each byte some ten times, and look up as many after it.
	workPerByte = 128
	workBase    = 16 << 20
	// workPause is the work between two looks at the context: some milliseconds.
	workPause = 1 << 20
	// pieceWork is what it costs to hand on a piece, however short.
	pieceWork = 16
)

// partsMax bounds the normalizers, pre-tokenizers and decoders of a file, each; published ones have
// a dozen.
const partsMax = 256

// CostError says that a file's parts make too much of a text, or take too long for it. The file is
// at fault, not the text.
type CostError struct{ what string }

// Error says what the file does.
func (e *CostError) Error() string { return "the model's tokenizer.json " + e.what }

// work is what one text may cost, and how much of that is left.
type work struct {
	ctx     context.Context
	tracked bool // parts keep where in the text bytes come from
	size    int  // of the text
	left    int
	look    int // where left is when the context is looked at again
	watch   stopwatch
	failed  error // of a part that has no other way to say so
}

func newWork(ctx context.Context) *work {
	w := new(work)
	w.begin(ctx)
	return w
}

func (w *work) begin(ctx context.Context) { w.ctx, w.left, w.look = ctx, workBase, workBase }

// Within returns t for one request: all that it encodes counts as one text by what it may cost, and
// ends with ctx's error when ctx does. It is not for several goroutines.
func (t *Tokenizer) Within(ctx context.Context) *Tokenizer {
	within := *t
	within.work = newWork(ctx)
	return &within
}

// grow adds to the text.
func (w *work) grow(n int) {
	w.size += n
	w.left += n * workPerByte
	w.look += n * workPerByte
	w.watch.limit = matchLimit(w.size)
}

// spend pays for n bytes that are read or looked up. It returns a *CostError if that is too much, or
// the context's error.
func (w *work) spend(n int) error {
	if w.left -= n; w.left < w.look {
		return w.pause()
	}
	return nil
}

// pays is spend for a piece that a part takes, and fits.
func (w *work) pays(n int) error {
	if n > w.most() {
		return w.tooMuch()
	}
	return w.spend(n + pieceWork)
}

func (w *work) pause() error {
	if w.left < 0 {
		return &CostError{fmt.Sprintf("asks for more than %d steps of work for a text of %d bytes", workBase+w.size*workPerByte, w.size)}
	}
	w.look = max(w.left-workPause, 0)
	return w.ctx.Err()
}

// most is the longest that the text may grow to.
func (w *work) most() int { return madeBase + w.size*madePerByte }

// fits returns a *CostError if n bytes are more than the text may grow to.
func (w *work) fits(n int) error {
	if n > w.most() {
		return w.tooMuch()
	}
	return nil
}

func (w *work) tooMuch() error {
	return &CostError{fmt.Sprintf("makes more than %d bytes of a text of %d bytes", w.most(), w.size)}
}
