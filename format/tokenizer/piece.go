package tokenizer

import "unicode/utf8"

// piece is a part of the text that is being encoded, after whatever rewrote it.
type piece struct {
	text string
	at   int   // where text[0] comes from in the original, if from is nil: then so do all bytes in order
	from []int // where each byte of text comes from in the original; nil if text was not rewritten, or nobody asks
}

// sub is p.text[i:j].
func (p piece) sub(i, j int) piece {
	if p.from != nil {
		return piece{text: p.text[i:j], from: p.from[i:j]}
	}
	return piece{text: p.text[i:j], at: p.at + i}
}

// position returns where byte i of the piece comes from.
func (p piece) position(i int) int {
	if p.from == nil {
		return p.at + i
	}
	if i < len(p.from) {
		return p.from[i]
	}
	return p.from[len(p.from)-1]
}

// rewriter builds what a piece is rewritten to. Where every byte came from is kept only if
// somebody asks, by newRewriter's tracked.
type rewriter struct {
	in      piece
	out     []byte
	from    []int
	tracked bool
}

func newRewriter(in piece, tracked bool) *rewriter {
	r := &rewriter{in: in, tracked: tracked, out: make([]byte, 0, len(in.text)+len(in.text)/8+8)}
	if tracked {
		r.from = make([]int, 0, cap(r.out))
	}
	return r
}

// put appends s, which comes from in.text[i].
func (r *rewriter) put(s string, i int) {
	r.out = append(r.out, s...)
	r.came(i)
}

// putRune is put for a character.
func (r *rewriter) putRune(c rune, i int) {
	r.out = utf8.AppendRune(r.out, c)
	r.came(i)
}

// came notes that all bytes that have no origin yet come from in.text[i].
func (r *rewriter) came(i int) {
	for r.tracked && len(r.from) < len(r.out) {
		r.from = append(r.from, r.in.position(i))
	}
}

// keep appends in.text[i:j] as it is.
func (r *rewriter) keep(i, j int) {
	r.out = append(r.out, r.in.text[i:j]...)
	for ; r.tracked && i < j; i++ {
		r.from = append(r.from, r.in.position(i))
	}
}

// piece returns what was built. Its bytes are r's: r must not be used again.
func (r *rewriter) piece() piece { return piece{text: string(r.out), at: r.in.at, from: r.from} }
