package server

import (
	"container/list"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// bodyBudget is the memory for the bodies of requests, from the socket to the answer. Small ones
// have a share of their own: none of them waits for large ones.
type bodyBudget struct{ small, large *pool }

// newBodyBudget shares out what a machine with that much memory has for bodies.
func newBodyBudget(memory int64, wait time.Duration) *bodyBudget {
	if memory <= 0 {
		memory = bodyMemoryUnknown
	}
	all := memory / 100 * bodyMemoryPercent
	return &bodyBudget{newPool(max(all/4, smallBodiesMin), wait), newPool(max(all/4*3, largeBodiesMin), wait)}
}

// reserve waits until n bytes are free for a guest's body, which the guest then holds.
func (b *bodyBudget) reserve(ctx context.Context, n int64) (err error) {
	p := b.large
	if n <= smallBodyMax {
		p = b.small
	}
	g := guestOf(ctx)
	g.share, err = p.reserve(ctx, g.peer, n*bodyCopies, g.sendAway)
	return err
}

// A pool of bytes. What is free goes to the peer whose strangers hold the least. If nothing is, a
// peer whose strangers hold more than another asks for loses them, the first that came first: so
// nobody waits for the slow body of somebody else.
type pool struct {
	size int64
	wait time.Duration

	mu      sync.Mutex
	free    int64
	coming  int64               // of strangers that were sent away
	holds   map[peer]int64      // of strangers
	by      map[peer]*list.List // *share, of strangers, the first that came in front
	waiting []*share            // in the order of their arrival
}

func newPool(size int64, wait time.Duration) *pool {
	return &pool{size: size, wait: wait, free: size, holds: map[peer]int64{}, by: map[peer]*list.List{}}
}

// A share is what one body holds.
type share struct {
	pool     *pool
	peer     peer
	bytes    int64
	place    *list.Element // among the strangers; nil: proved, or sent away
	away     bool
	sendAway func()
	granted  chan struct{}
}

func (p *pool) reserve(ctx context.Context, from peer, n int64, sendAway func()) (*share, error) {
	s := &share{pool: p, peer: from, bytes: n, sendAway: sendAway, granted: make(chan struct{})}
	p.mu.Lock()
	p.waiting = append(p.waiting, s)
	p.grant()
	p.reclaim(s)
	p.mu.Unlock()

	timer := time.NewTimer(p.wait)
	defer timer.Stop()
	select {
	case <-s.granted:
		return s, nil
	case <-ctx.Done():
		p.abandon(s)
		return nil, ctx.Err()
	case <-timer.C:
		free := p.abandon(s)
		return nil, fmt.Errorf("this one takes %d bytes of memory, and %d of the %d for bodies of its size are free after %v", n, free, p.size, p.wait)
	}
}

// abandon takes a share out of the queue, or gives it back if it was granted just now. It
// answers how many bytes were free.
func (p *pool) abandon(s *share) (free int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	free = p.free
	if i := slices.Index(p.waiting, s); i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
		p.grant()
	} else {
		s.letGo()
	}
	return free
}

// grant gives out what is free, to whose strangers would hold the least then. It stops at the first that
// does not fit: a large body gets its turn.
func (p *pool) grant() {
	for len(p.waiting) > 0 {
		next := 0
		for i, s := range p.waiting {
			if p.after(s) < p.after(p.waiting[next]) {
				next = i
			}
		}
		s := p.waiting[next]
		if s.bytes > p.free {
			return
		}
		p.waiting = slices.Delete(p.waiting, next, next+1)
		p.free -= s.bytes
		p.hold(s)
		close(s.granted)
	}
}

// after is what the strangers of a share's peer hold once it is granted.
func (p *pool) after(s *share) int64 { return p.holds[s.peer] + s.bytes }

func (p *pool) hold(s *share) {
	of := p.by[s.peer]
	if of == nil {
		of = list.New()
		p.by[s.peer] = of
	}
	s.place = of.PushBack(s)
	p.holds[s.peer] += s.bytes
}

// drop makes a share no stranger's.
func (p *pool) drop(s *share) {
	if s.place == nil {
		return
	}
	of := p.by[s.peer]
	of.Remove(s.place)
	s.place = nil
	if p.holds[s.peer] -= s.bytes; of.Len() == 0 {
		delete(p.by, s.peer)
		delete(p.holds, s.peer)
	}
}

// reclaim sends strangers away until a share that waits will have room, or no peer holds more
// than its own would then.
func (p *pool) reclaim(s *share) {
	if !slices.Contains(p.waiting, s) {
		return
	}
	ahead := int64(0) // for s, and who is before it
	for _, other := range p.waiting {
		if p.after(other) <= p.after(s) {
			ahead += other.bytes
		}
	}
	for p.free+p.coming < ahead {
		var largest peer
		for candidate, n := range p.holds {
			if n > p.holds[largest] {
				largest = candidate
			}
		}
		if p.holds[largest] <= p.after(s) || largest == s.peer {
			return
		}
		victim := p.by[largest].Front().Value.(*share)
		p.drop(victim)
		victim.away = true
		p.coming += victim.bytes
		victim.sendAway()
	}
}

// proved says that the body is no stranger's, and how long it is.
func (s *share) proved(bytes int64) {
	p := s.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drop(s)
	if less := s.bytes - bytes; bytes >= 0 && less > 0 {
		s.giveBack(less)
	}
}

// release gives the bytes back. It may be called again.
func (s *share) release() {
	s.pool.mu.Lock()
	defer s.pool.mu.Unlock()
	s.letGo()
}

func (s *share) letGo() {
	s.pool.drop(s)
	s.giveBack(s.bytes)
}

func (s *share) giveBack(n int64) {
	if s.away {
		s.pool.coming -= n
	}
	s.bytes -= n
	s.pool.free += n
	s.pool.grant()
}
