package infer

import (
	"slices"

	"outcrop.dev/outcrop/engine/model"
)

// prefix is what an ended request has read and answered, kept so that a later one whose prompt
// begins alike need not read it again.
//
// It serves the tenant and the model (adapters are another) of the request that left it, and
// nobody else: for anyone else it is as if it were not there, so that how long an answer takes
// tells nothing of what others have asked.
type prefix struct {
	owner   owner
	tokens  []int32
	session *model.Session // holds tokens; it runs no more
	bytes   int64
	stop    func() bool // the timer that drops it
}

// owner is whom a prefix serves.
type owner struct {
	tenant string
	model  *resident
}

const (
	// prefixTokensMin is the shortest beginning that is kept or used: the model reads fewer
	// tokens in about the time in which their page is copied.
	prefixTokensMin = 16
	// prefixesMax bounds the list, all of which a request compares itself with.
	prefixesMax = 256
)

// resume lets l go on from the kept prefix that most of its prompt begins with; of several from
// the one that was used last. At least one token is left to read: its logits are the answer's.
func (m *memory) resume(l *lease) {
	best, tokens := -1, prefixTokensMin
	for i, p := range m.kept {
		if p.owner != l.owner {
			continue
		}
		if n := min(common(p.tokens, l.prompt), len(l.prompt)-1); n >= tokens {
			best, tokens = i, n
		}
	}
	if best < 0 {
		return
	}
	p := m.kept[best]
	session, err := p.session.Prefix(tokens, l.tokens)
	if err != nil {
		return // the request is told when it asks for a session of its own
	}
	l.session = session
	m.use(best)
}

// common returns how many tokens a and b begin with alike.
func common(a, b []int32) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// add keeps what session has read, instead of whatever it begins with. There is memory for it:
// that of its request.
func (m *memory) add(o owner, session *model.Session, tokens []int32) {
	if m.noReuse || o.tenant == "" || len(tokens) < prefixTokensMin {
		return
	}
	for i := len(m.kept) - 1; i >= 0; i-- {
		p := m.kept[i]
		if p.owner != o {
			continue
		}
		switch common(p.tokens, tokens) {
		case len(tokens): // it says the same, or more
			m.use(i)
			return
		case len(p.tokens):
			m.drop(i)
		}
	}
	if len(m.kept) == prefixesMax {
		m.drop(0)
	}
	p := &prefix{owner: o, tokens: tokens, session: session, bytes: int64(o.model.serving.SessionBytes(len(tokens)))}
	m.free -= p.bytes
	m.keptBytes += p.bytes
	m.kept = append(m.kept, p)
	m.watch(p)
}

// use notes that prefix i has just been used.
func (m *memory) use(i int) {
	p := m.kept[i]
	m.kept = append(slices.Delete(m.kept, i, i+1), p)
	p.stop()
	m.watch(p)
}

// watch drops p once it has not been used for so long.
func (m *memory) watch(p *prefix) {
	p.stop = m.afterFunc(m.keep, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if i := slices.Index(m.kept, p); i >= 0 {
			m.drop(i)
			m.serve()
		}
	})
}

// drop forgets prefix i. Pages that a request shares stay until it ends, as its own.
func (m *memory) drop(i int) {
	p := m.kept[i]
	p.stop()
	m.kept = slices.Delete(m.kept, i, i+1)
	m.keptBytes -= p.bytes
	m.free += p.bytes
}

// forget drops all that a model has read.
func (m *memory) forget(r *resident) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := len(m.kept) - 1; i >= 0; i-- {
		if m.kept[i].owner.model == r {
			m.drop(i)
		}
	}
	m.serve()
}
