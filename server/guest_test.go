package server

import (
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"testing"
	"time"
)

// The frames of HTTP/2 that matter here (RFC 9113, 6).
const (
	frameData    = 0
	frameHeaders = 1
	frameReset   = 3
	endStream    = 1
)

// speakHTTP2 connects, and says how much each stream may be sent.
func speakHTTP2(t *testing.T, address string, window uint32) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	settings := binary.BigEndian.AppendUint32([]byte("\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x04"), window)
	if _, err := conn.Write(append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), settings...)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// head sends HEADERS of a request without a signature, PUT /x or GET /x (RFC 7541, appendix A:
// 2 :method GET, 4 :path /, 6 :scheme http, 1 :authority).
func head(t *testing.T, conn net.Conn, stream uint32, method string, flags byte) {
	t.Helper()
	block := append([]byte{0x42, byte(len(method))}, method...)
	block = append(block, "\x44\x02/x\x86\x41\x01x"...)
	frame := append([]byte{0, 0, byte(len(block)), frameHeaders, 4 | flags}, binary.BigEndian.AppendUint32(nil, stream)...)
	if _, err := conn.Write(append(frame, block...)); err != nil {
		t.Fatal(err)
	}
}

// answered reads frames until a stream has ended, and says with which and how much of a body.
func answered(t *testing.T, conn net.Conn, stream uint32) (kind byte, body int) {
	t.Helper()
	for {
		var h [9]byte
		if _, err := io.ReadFull(conn, h[:]); err != nil {
			t.Fatalf("stream %d: %v", stream, err)
		}
		n := int64(h[0])<<16 | int64(h[1])<<8 | int64(h[2])
		if _, err := io.CopyN(io.Discard, conn, n); err != nil {
			t.Fatal(err)
		}
		if binary.BigEndian.Uint32(h[5:]) != stream {
			continue
		}
		switch {
		case h[3] == frameReset:
			return frameReset, body
		case h[3] == frameData:
			body += int(n)
		}
	}
}

// serveGuests serves strangers alone: nobody is known.
func serveGuests(t *testing.T, gs *guests, small time.Duration) (address string) {
	t.Helper()
	s := &Server{guests: gs}
	h := through(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = withoutBody(r, http.NewResponseController(w))
		_, _ = io.Copy(io.Discard, r.Body)
		http.Error(w, "no", http.StatusForbidden)
	}), cutStalled(patience{time.Minute, small}), s.host)
	server := newHTTPServer(h, gs.conns, slog.New(slog.DiscardHandler))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(ln) }()
	t.Cleanup(func() { _ = server.Close() })
	return ln.Addr().String()
}

// A request that is refused while its body is to come ends its stream at once.
func TestRefusedStreamEnds(t *testing.T) {
	t.Parallel()
	conn := speakHTTP2(t, serveGuests(t, newGuests(10, 10, manyConnections()), time.Minute), smallAnswerMax)
	head(t, conn, 1, "PUT", 0)
	if kind, body := answered(t, conn, 1); kind != frameReset || body == 0 {
		t.Errorf("frame %d after %d bytes", kind, body)
	}
}

// A client that gives an answer no room is not waited for, though the handler has returned.
func TestAnswerWithoutRoomEnds(t *testing.T) {
	t.Parallel()
	gs := newGuests(10, 10, manyConnections())
	conn := speakHTTP2(t, serveGuests(t, gs, 20*time.Millisecond), 0)
	head(t, conn, 1, "GET", endStream)
	if kind, body := answered(t, conn, 1); kind != frameReset || body != 0 {
		t.Errorf("frame %d after %d bytes", kind, body)
	}
	waitFor(t, "the stranger has left", func() bool {
		gs.mu.Lock()
		defer gs.mu.Unlock()
		return gs.strangers == 0 && len(gs.by) == 0
	})
}

// As many strangers as there are places stay; one more costs all of the peer their connections, and
// it gets no new one.
func TestStrangersEach(t *testing.T) {
	t.Parallel()
	gs := newGuests(10, 2, manyConnections())
	address := serveGuests(t, gs, time.Minute)
	conns := make([]net.Conn, 3)
	for i := range conns {
		conns[i] = speakHTTP2(t, address, 0)
		head(t, conns[i], 1, "GET", endStream)
		waitFor(t, "the stranger has a place", func() bool {
			gs.mu.Lock()
			defer gs.mu.Unlock()
			return gs.strangers == i+1 || i == 2
		})
	}
	for i, conn := range append(conns, speakHTTP2(t, address, 0)) {
		if _, err := io.Copy(io.Discard, conn); err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("connection %d stays: %v", i, err)
		}
	}
}

// With all places taken, the peer that has the most loses one.
func TestStrangersMax(t *testing.T) {
	t.Parallel()
	gs := newGuests(3, 3, manyConnections())
	many, one := peerOf(netip.MustParseAddr("192.0.2.1")), peerOf(netip.MustParseAddr("192.0.2.2"))
	control := http.NewResponseController(nothingWriter{})
	first := gs.enter(many, control, anyLine())
	second := gs.enter(many, control, anyLine())
	known := gs.enter(many, control, anyLine())
	known.proved(0)
	alone := gs.enter(one, control, anyLine())
	if gs.strangers != 3 || first.place == nil {
		t.Fatal("a place is free, and yet somebody was sent away")
	}
	gs.enter(peerOf(netip.MustParseAddr("192.0.2.3")), control, anyLine())
	if first.place != nil || second.place == nil || alone.place == nil {
		t.Error("not the first of the largest was sent away")
	}
	first.leave()
	second.leave()
	if gs.strangers != 2 {
		t.Errorf("%d strangers, want 2", gs.strangers)
	}
}

func manyConnections() *connections { return newConnections(connectionsMax, nil, time.Now) }

// anyLine is a connection on which somebody is known.
func anyLine() *line {
	l := &line{conn: &fakeConn{}}
	l.known.Store(true)
	return l
}

type nothingWriter struct{ http.ResponseWriter }
