package server

import (
	"crypto/tls"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// connections bounds how many there are. Where one is too many, that goes first which has said
// nothing for the longest time, of the peer that has the most of those.
type connections struct {
	trusted    proxies // have no bound of their own: they are many people
	most, each int
	now        func() time.Time

	mu  sync.Mutex
	all map[net.Conn]*connection
}

type connection struct {
	peer  peer
	proxy bool      // trusted
	busy  bool      // a request is being answered
	since time.Time // that it is so
}

// connectionsAllowed is how many connections a process with that many descriptors has.
func connectionsAllowed(descriptors uint64) int {
	return int(min(descriptors/descriptorsPerConn, connectionsMax))
}

// descriptors is how many this process may open.
func descriptors() uint64 {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 2 * connectionsMax
	}
	return limit.Cur
}

func newConnections(most int, trusted proxies, now func() time.Time) *connections {
	return &connections{trusted: trusted, most: most, each: max(1, most/addressesPerPlace), now: now, all: map[net.Conn]*connection{}}
}

// state is what http.Server tells (ConnState).
func (c *connections) state(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch state {
	case http.StateNew:
		from := addressOf(conn.RemoteAddr().String())
		c.all[conn] = &connection{peer: peerOf(from), proxy: c.trusted.trust(from), since: c.now()}
		c.makeRoom(conn)
	case http.StateActive, http.StateIdle:
		if known := c.all[conn]; known != nil {
			known.busy, known.since = state == http.StateActive, c.now()
		}
	case http.StateClosed, http.StateHijacked:
		delete(c.all, conn)
	}
}

// makeRoom closes a connection if there is one too many; the newest if all others are busy.
func (c *connections) makeRoom(newest net.Conn) {
	p, proxy := c.all[newest].peer, c.all[newest].proxy
	var victim net.Conn
	switch {
	case !proxy && c.of(p) > c.each:
		victim = c.idlest(p)
	case len(c.all) > c.most:
		victim = c.idlest(c.laziest())
	default:
		return
	}
	if victim == nil {
		victim = newest
	}
	delete(c.all, victim)
	cut(victim)
}

func (c *connections) of(p peer) (n int) {
	for _, known := range c.all {
		if known.peer == p {
			n++
		}
	}
	return n
}

// laziest is the peer with the most connections that say nothing.
func (c *connections) laziest() (p peer) {
	idle := map[peer]int{}
	for _, known := range c.all {
		if !known.busy {
			idle[known.peer]++
		}
		if idle[known.peer] > idle[p] {
			p = known.peer
		}
	}
	return p
}

// idlest is the connection of a peer that has said nothing for the longest time; nil if all are busy.
func (c *connections) idlest(p peer) (conn net.Conn) {
	var since time.Time
	for candidate, known := range c.all {
		if known.peer == p && !known.busy && (conn == nil || known.since.Before(since)) {
			conn, since = candidate, known.since
		}
	}
	return conn
}

// cut closes a connection without a word: TLS would wait for the client to take one.
func cut(conn net.Conn) {
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	_ = conn.Close() // it is gone either way
}
