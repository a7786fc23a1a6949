package server

import (
	"container/list"
	"context"
	"net/http"
	"sync"
	"time"
)

// A guest is a request under way: whom it is counted for, and what it holds. Until it has proved
// who sends it, it may be sent away so that another finds room.
type guest struct {
	peer    peer
	control *http.ResponseController
	line    *line
	places  *guests
	place   *list.Element // among the strangers of its peer; nil: it has proved itself, or was sent away
	share   *share        // of the memory for bodies; nil: none
	known   bool          // it has proved who sends it
}

type guestKey struct{}

// guestOf is the guest of a request's context. host has let it in.
func guestOf(ctx context.Context) *guest { return ctx.Value(guestKey{}).(*guest) }

// sendAway ends what a guest waits for: its client.
func (g *guest) sendAway() {
	past := time.Unix(1, 0)
	_ = g.control.SetReadDeadline(past) // where there are no deadlines, its own time ends it
	_ = g.control.SetWriteDeadline(past)
}

// guests are the strangers under way. If there are too many, the one goes that came first, of the
// peer that has the most. It goes with all connections of its peer on which nobody has ever proved
// anything: else others come faster than they can be sent away one by one.
type guests struct {
	most, each int
	conns      *connections

	inside sync.WaitGroup // all, strangers or not

	mu        sync.Mutex
	strangers int
	by        map[peer]*list.List // of *guest, the first that came in front
}

func newGuests(most, each int, conns *connections) *guests {
	return &guests{most: most, each: each, conns: conns, by: map[peer]*list.List{}}
}

// enter lets a guest in, as a stranger.
func (gs *guests) enter(p peer, control *http.ResponseController, l *line) *guest {
	g := &guest{peer: p, control: control, line: l, places: gs}
	gs.mu.Lock()
	defer gs.mu.Unlock()
	of := gs.by[p]
	if of == nil {
		of = list.New()
		gs.by[p] = of
	}
	g.place = of.PushBack(g)
	gs.strangers++
	switch {
	case of.Len() > gs.each:
		gs.sendFirstAway(p)
	case gs.strangers > gs.most:
		gs.sendFirstAway(gs.largest())
	}
	return g
}

// sendFirstAway holds the lock while it does: a guest that has left must not be sent away.
func (gs *guests) sendFirstAway(p peer) {
	first := gs.by[p].Front().Value.(*guest)
	gs.forget(first)
	if first.line.proxy || first.line.known.Load() {
		first.sendAway()
		return
	}
	gs.conns.shutOut(first.line.peer)
}

func (gs *guests) largest() (p peer) {
	most := 0
	for candidate, of := range gs.by {
		if of.Len() > most {
			p, most = candidate, of.Len()
		}
	}
	return p
}

func (gs *guests) forget(g *guest) {
	if g.place == nil {
		return
	}
	of := gs.by[g.peer]
	of.Remove(g.place)
	g.place = nil
	gs.strangers--
	if of.Len() == 0 {
		delete(gs.by, g.peer)
	}
}

// proved says that the guest is a stranger no more. bytes is how long its body is.
func (g *guest) proved(bytes int64) {
	g.known = true
	g.line.known.Store(true)
	g.noStranger()
	if g.share != nil {
		g.share.proved(bytes * bodyCopies)
	}
}

// leave gives back what the guest holds.
func (g *guest) leave() {
	g.noStranger()
	if g.share != nil {
		g.share.release()
	}
}

func (g *guest) noStranger() {
	g.places.mu.Lock()
	defer g.places.mu.Unlock()
	g.places.forget(g)
}

// host lets guests in and sees them out. What a stranger is answered leaves before its place is
// given to another: a client that does not take it keeps the place.
func (s *Server) host(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		g := s.guests.enter(s.trusted.peer(r), control, lineOf(r.Context()))
		s.guests.inside.Add(1)
		defer s.guests.inside.Done()
		defer g.leave()
		if r.Context().Err() != nil {
			panic(http.ErrAbortHandler) // it was sent away with its connection
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), guestKey{}, g)))
		if r.ProtoMajor == 2 && !g.known {
			_ = control.Flush() // HTTP/1 has one request a connection, and that its own limit
		}
	})
}

// wait waits until all have left, but not for longer than that.
func (gs *guests) wait(most time.Duration) {
	left := make(chan struct{})
	go func() {
		gs.inside.Wait()
		close(left)
	}()
	select {
	case <-left:
	case <-time.After(most):
	}
}
