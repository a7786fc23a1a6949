package tokenizer

import "math"

// longPiece is the number of symbols from which they are merged with a heap: below it the
// quadratic loop is faster.
const longPiece = 64

const noRank = math.MaxInt32

// symbol is a part of a piece: at first a character or a byte, then what merges made of it.
type symbol struct {
	id   int32
	size int32 // bytes of the piece
}

// mergeTable maps a pair of ids to the rank of its merge and the id that it makes. Open
// addressing, at most half full: the lookup is the inner loop of encoding.
type mergeTable struct {
	slots []mergeSlot
	shift uint
}

type mergeSlot struct {
	left, right int32
	rank, id    int32
}

func newMergeTable(n int) mergeTable {
	bits := uint(1)
	for 1<<bits < 2*n {
		bits++
	}
	m := mergeTable{slots: make([]mergeSlot, 1<<bits), shift: 64 - bits}
	for i := range m.slots {
		m.slots[i].rank = noRank
	}
	return m
}

func (m *mergeTable) start(left, right int32) uint64 {
	key := uint64(uint32(left))<<32 | uint64(uint32(right))
	return key * 0x9e3779b97f4a7c15 >> m.shift // Fibonacci hashing, Knuth 6.4
}

// add keeps the last of two merges of the same pair, as the reference does.
func (m *mergeTable) add(left, right, rank, id int32) {
	i := m.start(left, right)
	for m.slots[i].rank != noRank && (m.slots[i].left != left || m.slots[i].right != right) {
		i = (i + 1) & uint64(len(m.slots)-1)
	}
	m.slots[i] = mergeSlot{left, right, rank, id}
}

// find returns the rank, noRank if the pair does not merge, and the merged id.
func (m *mergeTable) find(left, right int32) (rank, id int32) {
	for i := m.start(left, right); ; i = (i + 1) & uint64(len(m.slots)-1) {
		s := &m.slots[i]
		if s.rank == noRank || s.left == left && s.right == right {
			return s.rank, s.id
		}
	}
}

// mergeShort merges fewer than longPiece symbols in place and returns what is left. rank[i]
// belongs to the pair of symbol i and the next one and is looked up again only where a merge
// changed a neighbour.
func mergeShort(m *mergeTable, part []symbol) []symbol {
	var rank, made [longPiece]int32
	n := len(part)
	for i := range n - 1 {
		rank[i], made[i] = m.find(part[i].id, part[i+1].id)
	}
	for n > 1 {
		best := 0
		for i := 1; i < n-1; i++ {
			if rank[i] < rank[best] {
				best = i
			}
		}
		if rank[best] == noRank {
			break
		}
		part[best] = symbol{made[best], part[best].size + part[best+1].size}
		n--
		copy(part[best+1:n], part[best+2:n+1])
		copy(rank[best:n], rank[best+1:n+1])
		copy(made[best:n], made[best+1:n+1])
		if best+1 < n {
			rank[best], made[best] = m.find(part[best].id, part[best+1].id)
		}
		if best > 0 {
			rank[best-1], made[best-1] = m.find(part[best-1].id, part[best].id)
		}
	}
	return part[:n]
}

// candidate is a merge that was possible when it was pushed.
type candidate struct {
	rank, at    int32 // at: index of the left part
	left, right int32 // ids then; if they have changed, the candidate is void
	id          int32
}

func (c candidate) less(d candidate) bool {
	return c.rank < d.rank || c.rank == d.rank && c.at < d.at
}

// mergeLong merges with a linked list of symbols and a heap of candidates: n log n. It
// returns what is left, in the same memory.
func mergeLong(m *mergeTable, part []symbol) []symbol {
	n := len(part)
	l := mergeList{merges: m, part: part, prev: make([]int32, n), next: make([]int32, n)}
	for i := range n {
		l.prev[i], l.next[i] = int32(i-1), int32(i+1)
	}
	l.next[n-1] = -1
	for i := range n - 1 {
		l.consider(int32(i))
	}
	for len(l.heap) > 0 {
		l.merge(l.pop())
	}
	out := part[:0]
	for i := int32(0); i >= 0; i = l.next[i] {
		out = append(out, part[i])
	}
	return out
}

type mergeList struct {
	merges     *mergeTable
	part       []symbol // its id is -1 where a symbol was swallowed by its left neighbour
	prev, next []int32
	heap       []candidate
}

// consider pushes the merge of the symbol at i with the next one, if they have one.
func (l *mergeList) consider(i int32) {
	if i < 0 || l.next[i] < 0 {
		return
	}
	left, right := l.part[i].id, l.part[l.next[i]].id
	if rank, id := l.merges.find(left, right); rank != noRank {
		l.push(candidate{rank, i, left, right, id})
	}
}

func (l *mergeList) merge(c candidate) {
	j := l.next[c.at]
	if l.part[c.at].id != c.left || j < 0 || l.part[j].id != c.right {
		return // void
	}
	l.part[c.at] = symbol{c.id, l.part[c.at].size + l.part[j].size}
	l.part[j].id = -1
	l.next[c.at] = l.next[j]
	if l.next[j] >= 0 {
		l.prev[l.next[j]] = c.at
	}
	l.consider(l.prev[c.at])
	l.consider(c.at)
}

func (l *mergeList) push(c candidate) {
	l.heap = append(l.heap, c)
	i := len(l.heap) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !c.less(l.heap[up]) {
			break
		}
		l.heap[i] = l.heap[up]
		i = up
	}
	l.heap[i] = c
}

func (l *mergeList) pop() candidate {
	top := l.heap[0]
	last := l.heap[len(l.heap)-1]
	l.heap = l.heap[:len(l.heap)-1]
	n := len(l.heap)
	if n == 0 {
		return top
	}
	i := 0
	for {
		down := 2*i + 1
		if down >= n {
			break
		}
		if down+1 < n && l.heap[down+1].less(l.heap[down]) {
			down++
		}
		if !l.heap[down].less(last) {
			break
		}
		l.heap[i] = l.heap[down]
		i = down
	}
	l.heap[i] = last
	return top
}
