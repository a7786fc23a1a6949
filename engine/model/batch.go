package model

import (
	"fmt"

	"outcrop.dev/outcrop/engine/tensor/attention"
)

// Batch is a packed stream of documents: no padding, and no token sees another document.
type Batch struct {
	Tokens   []int32             // (N)
	Targets  []int32             // (N) the next token, or Ignore where nothing is trained
	Segments []attention.Segment // the documents; they cover the stream in order
}

// Ignore is the target of a token that is not trained.
const Ignore = int32(-1)

// Add appends a document. targets is as long as tokens.
func (b *Batch) Add(tokens, targets []int32) {
	b.Segments = append(b.Segments, attention.Segment{Start: len(b.Tokens), Len: len(tokens)})
	b.Tokens = append(b.Tokens, tokens...)
	b.Targets = append(b.Targets, targets...)
}

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() {
	b.Tokens, b.Targets, b.Segments = b.Tokens[:0], b.Targets[:0], b.Segments[:0]
}

// Trained returns the number of tokens that have a target.
func (b *Batch) Trained() int {
	n := 0
	for _, t := range b.Targets {
		if t >= 0 {
			n++
		}
	}
	return n
}

// check returns an error for a batch that the plan or the vocabulary does not allow.
func (m *Model) check(b *Batch) error {
	if m.plan == nil {
		return fmt.Errorf("the model has no memory planned")
	}
	n := len(b.Tokens)
	if n > m.plan.budget.Tokens || len(b.Targets) != n {
		return fmt.Errorf("a batch of %d tokens and %d targets: at most %d of each are planned", n, len(b.Targets), m.plan.budget.Tokens)
	}
	for i, t := range b.Tokens {
		if t < 0 || int(t) >= m.Vocab || b.Targets[i] < Ignore || int(b.Targets[i]) >= m.Vocab {
			return fmt.Errorf("token %d or its target %d is not in a vocabulary of %d", t, b.Targets[i], m.Vocab)
		}
	}
	at := 0
	for _, s := range b.Segments {
		if s.Start != at || s.Len < 1 || s.Len > m.plan.budget.Longest {
			return fmt.Errorf("segment %d+%d: documents must follow each other and have 1 to %d tokens", s.Start, s.Len, m.plan.budget.Longest)
		}
		at += s.Len
	}
	if at != n {
		return fmt.Errorf("segments cover %d of %d tokens", at, n)
	}
	return nil
}
