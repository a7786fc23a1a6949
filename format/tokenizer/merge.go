package tokenizer

import "math"

// longPiece is the length in bytes from which a piece is merged with a heap: below it the
// quadratic loop is faster.
const longPiece = 64

const noRank = math.MaxInt32

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

// add keeps the first of two merges of the same pair.
func (m *mergeTable) add(left, right, rank, id int32) {
	i := m.start(left, right)
	for m.slots[i].rank != noRank {
		if m.slots[i].left == left && m.slots[i].right == right {
			return
		}
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

// appendPiece appends the tokens of one piece.
func (t *Tokenizer) appendPiece(ids []int32, piece string) []int32 {
	if id, ok := t.whole[piece]; ok {
		return append(ids, id)
	}
	if len(piece) >= longPiece {
		return t.appendLong(ids, piece)
	}
	return t.appendShort(ids, piece)
}

// appendShort merges in a small array. rank[i] belongs to the pair of part i and the next
// one and is looked up again only where a merge changed a neighbour.
func (t *Tokenizer) appendShort(ids []int32, piece string) []int32 {
	var part, rank, made [longPiece]int32
	n := len(piece)
	for i := range n {
		part[i] = t.byteID[piece[i]]
	}
	for i := range n - 1 {
		rank[i], made[i] = t.merges.find(part[i], part[i+1])
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
		part[best] = made[best]
		n--
		copy(part[best+1:n], part[best+2:n+1])
		copy(rank[best:n], rank[best+1:n+1])
		copy(made[best:n], made[best+1:n+1])
		if best+1 < n {
			rank[best], made[best] = t.merges.find(part[best], part[best+1])
		}
		if best > 0 {
			rank[best-1], made[best-1] = t.merges.find(part[best-1], part[best])
		}
	}
	return append(ids, part[:n]...)
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

// appendLong merges with a linked list of parts and a heap of candidates: n log n.
func (t *Tokenizer) appendLong(ids []int32, piece string) []int32 {
	n := len(piece)
	l := mergeList{t: t, part: make([]int32, n), prev: make([]int32, n), next: make([]int32, n)}
	for i := range n {
		l.part[i], l.prev[i], l.next[i] = t.byteID[piece[i]], int32(i-1), int32(i+1)
	}
	l.next[n-1] = -1
	for i := range n - 1 {
		l.consider(int32(i))
	}
	for len(l.heap) > 0 {
		l.merge(l.pop())
	}
	for i := int32(0); i >= 0; i = l.next[i] {
		ids = append(ids, l.part[i])
	}
	return ids
}

type mergeList struct {
	t                *Tokenizer
	part, prev, next []int32 // part is -1 where a part was swallowed by its left neighbour
	heap             []candidate
}

// consider pushes the merge of the part at i with the next one, if they have one.
func (l *mergeList) consider(i int32) {
	if i < 0 || l.next[i] < 0 {
		return
	}
	left, right := l.part[i], l.part[l.next[i]]
	if rank, id := l.t.merges.find(left, right); rank != noRank {
		l.push(candidate{rank, i, left, right, id})
	}
}

func (l *mergeList) merge(c candidate) {
	j := l.next[c.at]
	if l.part[c.at] != c.left || j < 0 || l.part[j] != c.right {
		return // void
	}
	l.part[c.at], l.part[j] = c.id, -1
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
