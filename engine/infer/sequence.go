package infer

import (
	"context"
	"strings"
	"sync"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/format/tokenizer"
	"outcrop.dev/outcrop/internal/pause"
)

// sequence is one generation under way. The scheduler owns all of it but out.
type sequence struct {
	ctx   context.Context     // when it ends, so does the sequence, before its next token
	ends  func(id int32) bool // of text
	limit int                 // tokens that it may generate

	ids     []int32        // the prompt, and what was generated
	session *model.Session // holds the first of ids; nil if what it holds is not known any more
	taken   int            // of the next in the current step

	sampler sampler
	drawn   int
	broken  error // that nothing could be drawn
	decode  *tokenizer.Decoder
	text    *text
	tokens  int // generated, without the end of text

	likeliest likeliest
	drawnLog  outcrop.TokenLogprobs
	logprobs  []outcrop.TokenLogprobs // of tokens, if asked for

	out outbox
}

// next returns the tokens that the model has not read yet: of the prompt, later the last one.
func (s *sequence) next() []int32 { return s.ids[s.session.Len():] }

// read returns the tokens that the model has read; nil if they are not known.
func (s *sequence) read() []int32 {
	if s.session == nil {
		return nil
	}
	return s.ids[:s.session.Len()]
}

// draw samples the next token from the logits after what the model has seen. Sequences may
// draw at the same time.
func (s *sequence) draw(logits []float32) {
	s.drawn, s.broken = s.sampler.next(logits, s.tokens)
	if s.likeliest.count > 0 && s.broken == nil {
		s.drawnLog = s.likeliest.of(logits, s.drawn)
	}
}

// accept takes the token that was drawn, and reports whether the sequence has ended.
func (s *sequence) accept() (ended bool) {
	if s.broken != nil {
		s.fail(&outcrop.Error{
			Code: outcrop.CodeModelError, Err: s.broken,
			Msg: "The model produced numbers that are not finite: its weights are damaged. Train it again, or restore its directory.",
		})
		return true
	}
	id := s.drawn
	if s.ends(int32(id)) {
		s.finish(outcrop.StopEndOfText)
		return true
	}
	s.tokens++
	if s.likeliest.count > 0 {
		s.logprobs = append(s.logprobs, s.drawnLog)
	}
	piece, stopped := s.text.add(s.decode.Push(int32(id)))
	s.out.add(piece)
	switch {
	case s.decode.Err() != nil:
		s.failDecode()
	case stopped:
		s.out.finish(outcome{reason: outcrop.StopSequence, tokens: s.tokens})
	case s.tokens == s.limit:
		s.finish(outcrop.StopLength)
	default:
		s.ids = append(s.ids, int32(id))
		return false
	}
	return true
}

// finish ends the sequence, letting go of the text that was held back. A character that
// breaks off becomes U+FFFD, which may yet complete a stop sequence.
func (s *sequence) finish(reason string) {
	piece, stopped := s.text.add(s.decode.Flush())
	s.out.add(piece)
	if s.decode.Err() != nil {
		s.failDecode()
		return
	}
	if stopped {
		reason = outcrop.StopSequence
	} else {
		s.out.add(s.text.end())
	}
	s.out.finish(outcome{reason: reason, tokens: s.tokens})
}

// failDecode ends the sequence of a model whose tokenizer makes too much of its tokens.
func (s *sequence) failDecode() {
	err := s.decode.Err()
	s.fail(&outcrop.Error{
		Code: outcrop.CodeModelError, Err: err,
		Msg: "The answer cannot be written: " + err.Error() + ". Remove the model, or mend its tokenizer.json.",
	})
}

// fail ends the sequence with an error.
func (s *sequence) fail(err error) { s.out.finish(outcome{err: err, tokens: s.tokens}) }

// outcome is how a sequence ended.
type outcome struct {
	reason string
	tokens int
	err    error
}

// outbox carries text from the scheduler to the goroutine of the request, which may be
// slow: the scheduler never waits for it. What it holds is bounded by the context length.
type outbox struct {
	mu    sync.Mutex
	text  strings.Builder
	ended *outcome
	wake  pause.Bell // there is something new
}

func (o *outbox) add(piece string) {
	if piece == "" {
		return
	}
	o.mu.Lock()
	o.text.WriteString(piece)
	o.mu.Unlock()
	o.wake.Ring()
}

func (o *outbox) finish(e outcome) {
	o.mu.Lock()
	o.ended = &e
	o.mu.Unlock()
	o.wake.Ring()
}

// take waits for something new and returns it: text, or how the sequence ended, or both.
func (o *outbox) take() (piece string, ended *outcome) {
	<-o.wake
	o.mu.Lock()
	defer o.mu.Unlock()
	piece = o.text.String()
	o.text.Reset()
	return piece, o.ended
}
