package tokenizer

// trie finds the keys that begin at a place of a text. Open addressing by node and byte.
type trie struct {
	slots []trieSlot
	shift uint
	value []int32 // by node; noID where no key ends. Node 0 is the root.
}

type trieSlot struct {
	key   uint32 // parent node << 8 | byte
	child int32  // 0: the slot is free
}

// newTrie returns an empty trie for keys with that many bytes in all.
func newTrie(keyBytes int) *trie {
	bits := uint(4)
	for 1<<bits < 2*keyBytes {
		bits++
	}
	return &trie{slots: make([]trieSlot, 1<<bits), shift: 32 - bits, value: []int32{noID}}
}

// trieBytesMax is the most bytes of all keys together: nodes have 24 bits.
const trieBytesMax = 1<<24 - 1

func (t *trie) slot(node int32, c byte) *trieSlot {
	key := uint32(node)<<8 | uint32(c)
	for i := key * 0x9e3779b1 >> t.shift; ; i = (i + 1) & uint32(len(t.slots)-1) {
		if s := &t.slots[i]; s.child == 0 || s.key == key {
			return s
		}
	}
}

// add keeps the last value of a key that is added twice.
func (t *trie) add(key string, value int32) {
	node := int32(0)
	for i := range len(key) {
		s := t.slot(node, key[i])
		if s.child == 0 {
			*s = trieSlot{uint32(node)<<8 | uint32(key[i]), int32(len(t.value))}
			t.value = append(t.value, noID)
		}
		node = s.child
	}
	t.value[node] = value
}

// step returns the node after c, 0 if no key goes on so.
func (t *trie) step(node int32, c byte) int32 { return t.slot(node, c).child }

// longest returns the end and the value of the longest key that begins at s[0], and the number of
// bytes that it has looked at.
func (t *trie) longest(s string) (end int, value int32, walked int) {
	value = noID
	node := int32(0)
	for i := range len(s) {
		walked = i + 1
		if node = t.step(node, s[i]); node == 0 {
			break
		}
		if v := t.value[node]; v != noID {
			end, value = i+1, v
		}
	}
	return end, value, walked
}
