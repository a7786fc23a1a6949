package server

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"outcrop.dev/outcrop/wire/sigv4"
)

// hold takes n bytes of a pool for somebody who has proved who he is.
func hold(t *testing.T, p *pool, n int64) (release func()) {
	t.Helper()
	s, err := p.reserve(t.Context(), peer{}, n, func() {})
	if err != nil {
		t.Fatalf("%d bytes are not free: %v", n, err)
	}
	s.proved(n)
	return s.release
}

// When others hold the memory, a body is not read. Requests that need none of it, and keys that
// do not exist, are answered as ever.
func TestBodyBudget(t *testing.T) {
	t.Parallel()
	small, large := newPool(bodyCopies*smallBodyMax, time.Millisecond), newPool(bodyCopies*sigv4.BufferedMax, time.Millisecond)
	address := serveWithin(t, bodyTimeout, &bodyBudget{small, large})
	const body = "0123456789"
	ask := func(service string, old, new string, headers ...string) (int, string) {
		text := strings.Replace(signedHead(t, address, "POST", service, body, headers...), old, new, 1)
		if strings.Contains(text, "chunked") {
			text += "a\r\n" + body + "\r\n0\r\n\r\n"
		} else {
			text += body
		}
		resp, answer := exchange(t, address, "POST", text)
		return resp.StatusCode, answer + resp.Header.Get("X-Amzn-ErrorType")
	}
	const length = "Content-Length: 10"
	for _, test := range []struct {
		name     string
		pool     *pool
		held     int64 // by others
		service  string
		header   string
		old, new string
		status   int
		want     string
	}{
		{"room for it", small, small.size - 20, "bedrock", length, "", "", http.StatusOK, "bedrock"},
		{"one byte too little", small, small.size - 19, "bedrock", length, "", "", http.StatusTooManyRequests, "ThrottlingException"},
		{"the numbers", small, small.size - 19, "bedrock", length, "", "", http.StatusTooManyRequests, "takes 20 bytes of memory, and 19 of the 2097152"},
		{"room for any", large, 0, "bedrock", "Transfer-Encoding: chunked", "", "", http.StatusOK, "bedrock"},
		{"not announced", large, 1, "bedrock", "Transfer-Encoding: chunked", "", "", http.StatusTooManyRequests, "ThrottlingException"},
		{"large ones are not in the way of small ones", large, large.size, "bedrock", length, "", "", http.StatusOK, "bedrock"},
		{"sts", small, small.size, "sts", length, "", "", http.StatusBadRequest, "Throttling"},
		{"s3 reads nothing before", small, small.size, "s3", length, "", "", http.StatusOK, "s3"},
		{"unknown key", small, small.size, "bedrock", length, testKey.AccessKeyID, "AKIANONE", http.StatusForbidden, "UnrecognizedClientException"},
		{"wrong signature gives it back", small, small.size - 20, "bedrock", length, "Signature=", "Signature=00", http.StatusForbidden, "InvalidSignatureException"},
	} {
		release := hold(t, test.pool, test.held)
		if status, got := ask(test.service, test.old, test.new, test.header); status != test.status || !strings.Contains(got, test.want) {
			t.Errorf("%s: %d %s, want %d %s", test.name, status, got, test.status, test.want)
		}
		release()
		waitFor(t, test.name+": the memory is back", func() bool {
			small.mu.Lock()
			defer small.mu.Unlock()
			large.mu.Lock()
			defer large.mu.Unlock()
			return small.free == small.size && large.free == large.size && len(small.holds)+len(large.holds) == 0
		})
	}
}

// waitFor waits until what somebody else is about to do is done.
func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for range 1000 {
		if done() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal(what + ": not within a second")
}

// A small body and one byte more have shares of their own.
func TestSmallBodyMax(t *testing.T) {
	t.Parallel()
	for n, small := range map[int64]bool{smallBodyMax: true, smallBodyMax + 1: false} {
		b := newBodyBudget(0, time.Millisecond)
		g := newGuests(1, 1, manyConnections()).enter(peer{}, nil, anyLine())
		if err := b.reserve(context.WithValue(t.Context(), guestKey{}, g), n); err != nil {
			t.Fatal(err)
		}
		if got := b.small.free < b.small.size; got != small {
			t.Errorf("%d bytes are small: %v, want %v", n, got, small)
		}
	}
}

// The budget is a share of the machine's memory, and never less than two of the largest bodies.
func TestBodyBudgetOfMachine(t *testing.T) {
	t.Parallel()
	for memory, want := range map[int64][2]int64{
		100 << 20: {smallBodiesMin, largeBodiesMin}, 0: {53687090, 161061270}, 1 << 30: {smallBodiesMin, largeBodiesMin},
	} {
		b := newBodyBudget(memory, 0)
		if b.small.size < want[0]-100 || b.small.size > want[0]+100 || b.large.size < want[1]-100 || b.large.size > want[1]+100 {
			t.Errorf("memory of %d bytes: %d and %d, want %v", memory, b.small.size, b.large.size, want)
		}
	}
}

// A waiting request gets the memory as soon as it is free.
func TestBodyBudgetWaits(t *testing.T) {
	t.Parallel()
	p := newPool(10, time.Minute)
	release := hold(t, p, 10)
	got := make(chan error)
	go func() {
		s, err := p.reserve(t.Context(), peer{}, 1, func() {})
		if err == nil {
			s.release()
		}
		got <- err
	}()
	release()
	if err := <-got; err != nil {
		t.Error(err)
	}
}

// Who holds much for bodies that prove nothing loses them to whoever asks for less, the first that
// came first, and no more than are needed. Nobody takes anything from who has proved himself, and
// nobody from himself.
func TestStrangersGiveWay(t *testing.T) {
	t.Parallel()
	stranger, other := peerOf(netip.MustParseAddr("127.0.0.2")), peerOf(netip.MustParseAddr("127.0.0.3"))
	p := newPool(100, 5*time.Second)
	sent := make(chan int, 10)
	shares := make([]*share, 10)
	for i := range shares {
		var err error
		if shares[i], err = p.reserve(t.Context(), stranger, 10, func() {
			sent <- i
			go shares[i].release()
		}); err != nil {
			t.Fatal(err)
		}
	}
	shares[0].proved(10)
	s, err := p.reserve(t.Context(), other, 20, func() { t.Error("sent away") })
	if err != nil {
		t.Fatal(err)
	}
	if a, b := <-sent, <-sent; a != 1 || b != 2 || len(sent) != 0 {
		t.Errorf("%d, %d and %d more were sent away, want 1 and 2", a, b, len(sent))
	}
	s.release()
	p.wait = time.Millisecond
	if _, err := p.reserve(t.Context(), stranger, 21, func() {}); err == nil || len(sent) != 0 {
		t.Errorf("the stranger took room from himself: %v", err)
	}
	if _, err := p.reserve(t.Context(), other, 71, func() {}); err == nil || len(sent) != 0 {
		t.Errorf("the other took more than the stranger holds: %v, %d sent away", err, len(sent))
	}
}
