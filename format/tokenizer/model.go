package tokenizer

import "fmt"

// model turns a piece that is not empty into tokens.
type model interface {
	tokens(out *output, text string) error
}

// output is what a model writes to.
type output struct {
	ids     []int32
	ends    []int // if tracked, where in the piece each of its tokens ends
	tracked bool
	symbols []symbol // scratch
	work    *work
}

func (o *output) add(id int32, end int) {
	o.ids = append(o.ids, id)
	if o.tracked {
		o.ends = append(o.ends, end)
	}
}

// unknown is what text becomes that no token stands for.
type unknown struct {
	content string
	id      int32 // noID: there is no such token
}

const noID = -1

// errUnknown: the reference, too, finds out when it needs the token.
func (u unknown) err(text string) error {
	return fmt.Errorf("model.unk_token %.40q is not in model.vocab, and no token stands for %.40q", u.content, text)
}

// byteTokens are the ids of <0x00> … <0xFF>, noID where there is none: byte_fallback.
type byteTokens [256]int32

func newByteTokens(vocab map[string]int32) *byteTokens {
	var t byteTokens
	for b := range t {
		t[b] = noID
		if id, ok := vocab[fmt.Sprintf("<0x%02X>", b)]; ok {
			t[b] = id
		}
	}
	return &t
}

// has reports whether every byte of s has its token.
func (t *byteTokens) has(s string) bool {
	for i := range len(s) {
		if t[s[i]] == noID {
			return false
		}
	}
	return true
}
