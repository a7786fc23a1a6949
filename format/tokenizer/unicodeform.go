package tokenizer

import (
	"slices"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// unicodeForm is one of Unicode's normalization forms (UAX #15).
type unicodeForm struct{ form norm.Form }

func (u unicodeForm) apply(p piece, w *work) (piece, error) {
	if u.form.IsNormalString(p.text) && len(p.text) < marksMax { // the library's own limit cannot be near
		return p, nil
	}
	r, most := newRewriter(p, w.tracked), w.most()
	for at := 0; at < len(p.text); {
		end := at + plain(p.text[at:])
		r.keep(at, end)
		at = end
		if at < len(p.text) {
			end = u.segmentEnd(p.text, at)
			r.out = u.appendSegment(r.out, p.text[at:end])
			r.came(at)
			at = end
			if len(r.out) > most {
				return p, w.tooMuch()
			}
		}
	}
	return r.piece(), nil
}

// plain returns the length of the ASCII that s begins with, less the last character if
// something that it may combine with follows.
func plain(s string) int {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return max(i-1, 0)
		}
	}
	return len(s)
}

// marksMax is how many marks in a row the library takes before it puts a U+034F among them
// (UAX #15-D3, Stream-Safe Text), which the reference does not.
const marksMax = 30

// segmentEnd returns where the text that is normalized by itself ends: before the next
// character that neither combines with what is before it nor is reordered.
func (u unicodeForm) segmentEnd(s string, at int) int {
	_, size := utf8.DecodeRuneInString(s[at:])
	end := at + size
	for end < len(s) && s[end] >= utf8.RuneSelf {
		r, size := utf8.DecodeRuneInString(s[end:])
		if u.form.PropertiesString(s[end:]).BoundaryBefore() || unicode.Is(lateDecompositions, r) {
			break
		}
		end += size
	}
	return end
}

// appendSegment appends the normal form of a segment.
func (u unicodeForm) appendSegment(b []byte, s string) []byte {
	first, size := utf8.DecodeRuneInString(s)
	if unicode.Is(lateDecompositions, first) { // a character that the reference leaves alone
		return append(append(b, s[:size]...), u.form.String(s[size:])...)
	}
	if utf8.RuneCountInString(s) < marksMax/4 { // a character decomposes into four marks at most
		return u.form.AppendString(b, s)
	}
	return append(b, string(u.long(s))...)
}

// long is the normal form of any text, by the definition: decompose, order marks by their
// combining class, compose.
func (u unicodeForm) long(s string) []rune {
	decompose := norm.NFD
	if u.form == norm.NFKC || u.form == norm.NFKD {
		decompose = norm.NFKD
	}
	var all []rune
	for _, r := range s {
		all = append(all, []rune(decompose.String(string(r)))...)
	}
	for i := 0; i < len(all); {
		end := i + 1
		for end < len(all) && combining(all[end]) != 0 {
			end++
		}
		slices.SortStableFunc(all[i:end], func(a, b rune) int { return int(combining(a)) - int(combining(b)) })
		i = end
	}
	if u.form == norm.NFC || u.form == norm.NFKC {
		all = compose(all)
	}
	return all
}

func combining(r rune) uint8 { return norm.NFD.PropertiesString(string(r)).CCC() }

// compose puts marks into the starter before them where there is a character for the two.
func compose(all []rune) []rune {
	out := all[:0]
	starter := -1
	var last uint8 // combining class of what stands before the mark
	for _, r := range all {
		class := combining(r)
		if starter >= 0 && (starter == len(out)-1 || last < class) {
			if c := []rune(norm.NFC.String(string([]rune{out[starter], r}))); len(c) == 1 {
				out[starter] = c[0]
				continue
			}
		}
		if class == 0 {
			starter = len(out)
		}
		last = class
		out = append(out, r)
	}
	return out
}
