package server

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A line is the connection that requests come by.
type line struct {
	conn  net.Conn
	peer  peer
	proxy bool        // a trusted one: many people
	known atomic.Bool // somebody has proved on it who sends

	busy  bool      // a request is being answered
	since time.Time // that it is so
}

type lineKey struct{}

// lineOf is the connection of a request.
func lineOf(ctx context.Context) *line { return ctx.Value(lineKey{}).(*line) }

// connections bounds how many there are. Where one is too many, that goes first which has said
// nothing for the longest time, of the peer that has the most of those.
type connections struct {
	trusted    proxies // have no bound of their own
	most, each int
	now        func() time.Time

	mu   sync.Mutex
	all  map[net.Conn]*line
	shut map[peer]time.Time // whose connections are closed until then
}

// connectionsAllowed is how many connections a process with that many descriptors has.
func connectionsAllowed(descriptors uint64) int {
	return int(min(descriptors/descriptorsPerConn, connectionsMax))
}

// descriptors is how many this process may open.
func descriptors() uint64 {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return descriptorsPerConn * connectionsMax
	}
	return limit.Cur
}

func newConnections(most int, trusted proxies, now func() time.Time) *connections {
	return &connections{
		trusted: trusted, most: most, each: max(1, most/addressesPerPlace), now: now,
		all: map[net.Conn]*line{}, shut: map[peer]time.Time{},
	}
}

// accepted puts a connection's line into the context of its requests (http.Server.ConnContext).
func (c *connections) accepted(ctx context.Context, conn net.Conn) context.Context {
	from := addressOf(conn.RemoteAddr().String())
	l := &line{conn: conn, peer: peerOf(from), proxy: c.trusted.trust(from), since: c.now()}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all[conn] = l
	return context.WithValue(ctx, lineKey{}, l)
}

// state follows a connection (http.Server.ConnState), and closes one if it is one too many.
func (c *connections) state(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.all[conn]
	switch {
	case l == nil: // it was closed here
	case state == http.StateNew && c.isShut(l.peer):
		c.cut(l)
	case state == http.StateNew:
		c.makeRoom(l)
	case state == http.StateActive || state == http.StateIdle:
		l.busy, l.since = state == http.StateActive, c.now()
	default:
		delete(c.all, conn)
	}
}

// makeRoom closes a connection if there is one too many; the newest if all others are busy.
func (c *connections) makeRoom(newest *line) {
	var victim *line
	switch {
	case !newest.proxy && c.of(newest.peer) > c.each:
		victim = c.idlest(newest.peer)
	case len(c.all) > c.most:
		victim = c.idlest(c.laziest())
	default:
		return
	}
	if victim == nil {
		victim = newest
	}
	c.cut(victim)
}

func (c *connections) of(p peer) (n int) {
	for _, l := range c.all {
		if l.peer == p {
			n++
		}
	}
	return n
}

// laziest is the peer with the most connections that say nothing.
func (c *connections) laziest() (p peer) {
	idle := map[peer]int{}
	for _, l := range c.all {
		if !l.busy {
			idle[l.peer]++
		}
		if idle[l.peer] > idle[p] {
			p = l.peer
		}
	}
	return p
}

// idlest is the connection of a peer that has said nothing for the longest time; nil if all are busy.
func (c *connections) idlest(p peer) (idlest *line) {
	for _, l := range c.all {
		if l.peer == p && !l.busy && (idlest == nil || l.since.Before(idlest.since)) {
			idlest = l
		}
	}
	return idlest
}

// shutOut closes all connections of a peer on which nobody has proved anything, and for a while
// each that it opens.
func (c *connections) shutOut(p peer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shut[p] = c.now().Add(shutOutTime)
	for _, l := range c.all {
		if l.peer == p && !l.known.Load() {
			c.cut(l)
		}
	}
}

// isShut forgets who has been shut out long enough.
func (c *connections) isShut(p peer) bool {
	until, shut := c.shut[p]
	if shut && c.now().Before(until) {
		return true
	}
	delete(c.shut, p)
	return false
}

// cut closes a connection without a word: TLS would wait for the client to take one.
func (c *connections) cut(l *line) {
	delete(c.all, l.conn)
	conn := l.conn
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	_ = conn.Close() // it is gone either way
}
