package pretrain

import (
	"sort"

	"outcrop.dev/outcrop/engine/train"
)

// piece is tokens [from,to] of a corpus within one document: to is the last target, which
// is not read. Documents longer than a sequence are cut into several pieces.
type piece struct{ from, to int32 }

func (p piece) len() int { return int(p.to - p.from) }

// stream deals the pieces of a corpus out, epoch after epoch, each in an order of its own.
// What it deals is a pure function of the position.
type stream struct {
	corpus *corpus
	pieces []piece
	total  int // tokens of an epoch
	seed   uint64

	epoch  int // of order, counted from 1; 0 before the first
	order  []int32
	starts []int // of each piece of the order, within the epoch
}

func newStream(c *corpus, sequence int, seed uint64) *stream {
	s := &stream{corpus: c, seed: seed}
	from := 0
	for _, end := range c.ends {
		for ; from < end-1; from += sequence {
			p := piece{int32(from), int32(min(from+sequence, end-1))}
			s.pieces = append(s.pieces, p)
			s.total += p.len()
		}
		from = end
	}
	return s
}

// take calls f with the pieces that begin at positions from to to, in tokens since the
// beginning of the first epoch.
func (s *stream) take(from, to int, f func(train.Example)) {
	for from < to && s.total > 0 {
		epoch, start := from/s.total, from/s.total*s.total
		s.shuffle(epoch)
		first := sort.SearchInts(s.starts, from-start)
		for i := first; i < len(s.order) && s.starts[i] < to-start; i++ {
			f(s.example(s.pieces[s.order[i]]))
		}
		from = start + s.total
	}
}

func (s *stream) shuffle(epoch int) {
	if s.epoch == epoch+1 {
		return
	}
	s.epoch = epoch + 1
	s.order = train.Shuffle(s.order, len(s.pieces), s.seed, uint64(epoch))
	s.starts = s.starts[:0]
	at := 0
	for _, i := range s.order {
		s.starts = append(s.starts, at)
		at += s.pieces[i].len()
	}
}

func (s *stream) example(p piece) train.Example {
	tokens := make([]int32, p.len()+1)
	for i := range tokens {
		tokens[i] = int32(s.corpus.tokens[int(p.from)+i])
	}
	return train.NewExample(tokens, 0)
}
