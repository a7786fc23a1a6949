package tokenizer

import (
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// charsmap is SentencePiece's compiled normalization rule: a double-array trie from what to
// replace to an offset into the replacements.
//
//	u32 size of the trie in bytes │ trie: u32 … │ replacements, each ended by a zero byte
//
// A unit of the trie is a darts-clone one: leaf bit 8, label 0–7 and bit 31, offset 10–30,
// its scale bit 9. https://github.com/s-yata/darts-clone
type charsmap struct {
	units   []uint32
	targets string
}

func newCharsmap(b []byte) (*charsmap, error) {
	if len(b) < 4 {
		return nil, fmt.Errorf("precompiled_charsmap has %d bytes", len(b))
	}
	size := uint64(binary.LittleEndian.Uint32(b))
	b = b[4:]
	if size > uint64(len(b)) || size%4 != 0 || size == 0 {
		return nil, fmt.Errorf("precompiled_charsmap: a trie of %d bytes in %d", size, len(b))
	}
	c := &charsmap{units: make([]uint32, size/4), targets: string(b[size:])}
	for i := range c.units {
		c.units[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	if !utf8.ValidString(c.targets) {
		return nil, fmt.Errorf("precompiled_charsmap: a replacement is not UTF-8")
	}
	return c, nil
}

// find returns the replacement of the shortest beginning of s that has one. The reference
// looks a whole cluster up by it all the same.
func (c *charsmap) find(s string) (with string, ok bool) {
	at := unitOffset(c.units[0])
	for i := range len(s) {
		if s[i] == 0 {
			return "", false
		}
		at ^= uint32(s[i])
		if at >= uint32(len(c.units)) || c.units[at]&(1<<31|0xff) != uint32(s[i]) {
			return "", false
		}
		unit := c.units[at]
		at ^= unitOffset(unit)
		if unit>>8&1 == 0 {
			continue
		}
		if at >= uint32(len(c.units)) {
			return "", false
		}
		return c.target(c.units[at] &^ (1 << 31))
	}
	return "", false
}

func unitOffset(u uint32) uint32 { return u >> 10 << (u >> 9 & 1 << 3) }

func (c *charsmap) target(at uint32) (string, bool) {
	if at >= uint32(len(c.targets)) || !utf8.RuneStart(c.targets[at]) {
		return "", false
	}
	s, _, _ := strings.Cut(c.targets[at:], "\x00")
	return s, true
}

// clusterBytesMax is the longest grapheme cluster, in bytes, that the reference looks up as a whole.
const clusterBytesMax = 5

func (c *charsmap) apply(p piece, w *work) (piece, error) {
	r, most := newRewriter(p, w.tracked), w.most()
	rest, state := p.text, -1
	for at := 0; rest != ""; {
		var cluster string
		cluster, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
		if with, ok := c.find(cluster); ok && len(cluster) <= clusterBytesMax {
			r.put(with, at)
		} else {
			c.eachRune(r, cluster, at)
		}
		at += len(cluster)
		if len(r.out) > most {
			return p, w.tooMuch()
		}
	}
	return r.piece(), nil
}

func (c *charsmap) eachRune(w *rewriter, cluster string, at int) {
	for i, r := range cluster {
		size := utf8.RuneLen(r)
		if r == utf8.RuneError {
			_, size = utf8.DecodeRuneInString(cluster[i:])
		}
		if with, ok := c.find(cluster[i : i+size]); ok {
			w.put(with, at+i)
		} else {
			w.keep(at+i, at+i+size)
		}
	}
}
