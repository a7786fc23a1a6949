package tokenizer

import "errors"

// ErrTooLong says that a text has more tokens than Limit allows.
var ErrTooLong = errors.New("the text has too many tokens")

// Limit returns t with a limit of n tokens, at least 1: encoding a text of more ends with
// ErrTooLong as soon as that is certain, so that megabytes cost little more than what is
// allowed. What AppendEncode appends to counts.
//
// Two things are done to their end first, because they may make little of much text: what
// normalizers do, and a single piece of a model that may fuse or drop characters.
func (t *Tokenizer) Limit(n int) *Tokenizer {
	limited := *t
	limited.limit = n
	return &limited
}

// full reports whether there are too many tokens, with those that piece certainly becomes.
func (e *encoder) full(piece string) bool {
	n := len(e.out.ids)
	if e.t.longest > 0 {
		n += len(piece) / e.t.longest
	}
	return e.t.limit > 0 && n > e.t.limit
}
