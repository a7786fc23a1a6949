package datacheck

import (
	"crypto/sha256"
	"io"
	"strings"
)

// fingerprint is what a row is recognised by: a hash of its text in lower case, white space
// collapsed.
type fingerprint [16]byte

func fingerprintOf(texts ...string) (p fingerprint) {
	h := sha256.New()
	for _, text := range texts {
		for word := range strings.FieldsSeq(strings.ToLower(text)) {
			io.WriteString(h, word)
			h.Write([]byte{' '})
		}
		h.Write([]byte{0})
	}
	copy(p[:], h.Sum(nil))
	return p
}

// seen is what a file holds: the first line of each row, and of each prompt.
type seen struct{ rows, prompts map[fingerprint]int }

func newSeen() *seen { return &seen{map[fingerprint]int{}, map[fingerprint]int{}} }

// compare looks for the row among those before it, and for its prompt in the training data.
func (f *fileCheck) compare(r scanned) {
	if _, ok := f.own.rows[r.row]; ok {
		f.Duplicates.add(r.line)
	} else {
		f.own.rows[r.row] = r.line
	}
	if _, ok := f.own.prompts[r.prompt]; !ok {
		f.own.prompts[r.prompt] = r.line
	}
	if f.train != nil {
		if _, ok := f.train.prompts[r.prompt]; ok {
			f.Leaks.add(r.line)
		}
	}
}
