package infer

import (
	"context"
	"slices"
	"sync"
	"time"

	"outcrop.dev/outcrop/engine/model"
)

// memory shares Options.CacheBytes out among the requests under way, in the order of their
// arrival. What they leave goes to beginnings (prefix) that ended ones have left behind, until a
// request needs it.
type memory struct {
	noReuse   bool
	keep      time.Duration
	afterFunc func(time.Duration, func()) func() bool

	mu        sync.Mutex
	free      int64     // neither a request's nor a prefix's
	queue     []*lease  // requests that wait
	kept      []*prefix // the one that was used longest ago first
	keptBytes int64
}

func newMemory(opt Options) *memory {
	return &memory{noReuse: opt.NoReuse, keep: opt.Keep, afterFunc: opt.AfterFunc, free: opt.CacheBytes}
}

// lease is the memory that a request has, or waits for. It is counted in full also where the
// session shares pages with a prefix, so that the prefix may go at any time.
type lease struct {
	owner  owner
	prompt []int32
	tokens int // of prompt and answer
	bytes  int64

	granted chan struct{}  // closed
	session *model.Session // set before granted: it holds the beginning of prompt; nil if nothing of it is kept
}

// acquire waits for the memory of l.
func (m *memory) acquire(ctx context.Context, l *lease) error {
	l.granted = make(chan struct{})
	m.mu.Lock()
	m.queue = append(m.queue, l)
	m.serve()
	m.mu.Unlock()
	select {
	case <-l.granted:
		return nil
	case <-ctx.Done():
		m.giveUp(l)
		return ctx.Err()
	}
}

// giveUp leaves the queue, or gives back what was granted at the same moment.
func (m *memory) giveUp(l *lease) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := slices.Index(m.queue, l); i >= 0 {
		m.queue = slices.Delete(m.queue, i, i+1)
	} else {
		m.free += l.bytes
	}
	m.serve()
}

// release ends l. What session has read, tokens, is kept; a nil session is not.
func (m *memory) release(l *lease, session *model.Session, tokens []int32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.free += l.bytes
	if session != nil {
		m.add(l.owner, session, tokens)
	}
	m.serve()
}

// serve grants memory to those that wait, in order, driving out what is kept. mu is held.
func (m *memory) serve() {
	for len(m.queue) > 0 && m.queue[0].bytes <= m.free+m.keptBytes {
		l := m.queue[0]
		m.queue = slices.Delete(m.queue, 0, 1)
		m.resume(l)
		for m.free < l.bytes {
			m.drop(0)
		}
		m.free -= l.bytes
		close(l.granted)
	}
}
