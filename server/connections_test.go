package server

import (
	"net"
	"net/http"
	"net/netip"
	"testing"
	"time"
)

// fakeConn is a connection from an address that remembers whether it was closed.
type fakeConn struct {
	net.Conn
	from   string
	closed bool
}

func (c *fakeConn) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(c.from + ":1"))
}

func (c *fakeConn) Close() error { c.closed = true; return nil }

// One connection too many costs the idlest of those that say nothing; busy ones stay.
func TestConnectionLimits(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	trusted, err := parseProxies([]string{"10.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	c := newConnections(6, trusted, func() time.Time { now = now.Add(time.Second); return now })
	open := func(from string) *fakeConn {
		conn := &fakeConn{from: from}
		c.accepted(t.Context(), conn)
		c.state(conn, http.StateNew)
		return conn
	}
	count := func(conns []*fakeConn) (open int) {
		for _, conn := range conns {
			if !conn.closed {
				open++
			}
		}
		return open
	}
	first := []*fakeConn{open("192.0.2.1"), open("192.0.2.1"), open("192.0.2.1")}
	if count(first) != 3 {
		t.Fatal("a peer has not half of all connections")
	}
	c.state(first[0], http.StateActive)
	c.state(first[1], http.StateIdle)
	first = append(first, open("192.0.2.1"))
	if !first[2].closed || count(first) != 3 {
		t.Errorf("one past a peer's half: not the idlest is closed: %+v", first)
	}
	for _, conn := range first {
		c.state(conn, http.StateActive)
	}
	if busy := open("192.0.2.1"); !busy.closed || count(first) != 3 {
		t.Error("a busy connection was closed for a new one")
	}
	proxied := []*fakeConn{open("10.0.0.1"), open("10.0.0.1"), open("10.0.0.1")}
	if count(proxied) != 3 {
		t.Error("not as many connections as are allowed")
	}
	proxied = append(proxied, open("10.0.0.1"))
	if count(proxied) != 3 || !proxied[0].closed {
		t.Error("one past the limit: the idlest is not closed")
	}
	if other := open("192.0.2.2"); other.closed || count(proxied) != 2 {
		t.Error("a new peer finds no room")
	}
	c.state(first[0], http.StateClosed)
	if len(c.all) != 5 {
		t.Errorf("%d connections are counted, want 5", len(c.all))
	}
}

func TestConnectionsAllowed(t *testing.T) {
	t.Parallel()
	for descriptors, want := range map[uint64]int{256: 128, 2 * connectionsMax: connectionsMax, 2*connectionsMax + 2: connectionsMax, 1 << 62: connectionsMax} {
		if got := connectionsAllowed(descriptors); got != want {
			t.Errorf("%d descriptors: %d connections, want %d", descriptors, got, want)
		}
	}
}

// Who is shut out loses all connections but those on which somebody is known, and gets no other
// until the time is over.
func TestShutOut(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	c := newConnections(10, nil, func() time.Time { return now })
	open := func(from string) (*fakeConn, *line) {
		conn := &fakeConn{from: from}
		l := lineOf(c.accepted(t.Context(), conn))
		c.state(conn, http.StateNew)
		return conn, l
	}
	stranger, _ := open("192.0.2.1")
	known, l := open("192.0.2.1")
	l.known.Store(true)
	other, _ := open("192.0.2.2")
	c.shutOut(l.peer)
	if !stranger.closed || known.closed || other.closed {
		t.Errorf("closed: stranger %v, known %v, other %v", stranger.closed, known.closed, other.closed)
	}
	for after, want := range map[time.Duration]bool{0: true, shutOutTime - 1: true} {
		now = time.Unix(0, 0).Add(after)
		if conn, _ := open("192.0.2.1"); conn.closed != want {
			t.Errorf("after %v: closed is %v", after, conn.closed)
		}
	}
	now = time.Unix(0, 0).Add(shutOutTime)
	if conn, _ := open("192.0.2.1"); conn.closed || len(c.shut) != 0 {
		t.Error("shut out for ever")
	}
}
