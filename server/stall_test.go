package server

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// serveStalling serves h with a short patience on a free port.
func serveStalling(t *testing.T, wait time.Duration, h http.HandlerFunc) (url string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := newHTTPServer(cutStalled(patience{wait, wait})(h), manyConnections(), slog.New(slog.DiscardHandler))
	s.HTTP2.WriteByteTimeout = wait
	go func() { _ = s.Serve(ln) }()
	t.Cleanup(func() { _ = s.Close() })
	return "http://" + ln.Addr().String()
}

// clients speak the two protocols of the port.
func clients(t *testing.T) map[string]*http.Client {
	h2 := new(http.Protocols)
	h2.SetUnencryptedHTTP2(true)
	all := map[string]*http.Client{"HTTP/1.1": {Transport: &http.Transport{}}, "h2c": {Transport: &http.Transport{Protocols: h2}}}
	t.Cleanup(func() {
		for _, c := range all {
			c.CloseIdleConnections()
		}
	})
	return all
}

// An answer that its client does not take ends, also for whoever computes it.
func TestStalledClient(t *testing.T) {
	t.Parallel()
	for name, client := range clients(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ended := make(chan error)
			url := serveStalling(t, 50*time.Millisecond, func(w http.ResponseWriter, r *http.Request) {
				piece := make([]byte, 1<<16)
				for r.Context().Err() == nil {
					if _, err := w.Write(piece); err != nil {
						break
					}
					_ = http.NewResponseController(w).Flush()
				}
				<-r.Context().Done()
				ended <- r.Context().Err()
			})
			resp, err := client.Get(url)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			<-ended // without a byte of the body read
		})
	}
}

// A client that does not even read from its connection is the same in HTTP/2.
func TestStalledConnection(t *testing.T) {
	t.Parallel()
	ended := make(chan bool)
	url := serveStalling(t, 50*time.Millisecond, func(w http.ResponseWriter, r *http.Request) {
		piece := make([]byte, 1<<16)
		for r.Context().Err() == nil {
			if _, err := w.Write(piece); err != nil {
				break
			}
		}
		<-r.Context().Done()
		ended <- true
	})
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// Preface, SETTINGS with a window of 2^31-1 for each stream, WINDOW_UPDATE of the connection,
	// HEADERS of GET / (RFC 9113, 4.1 and 6; RFC 7541, appendix A: 2 GET, 4 /, 6 http; 1 :authority).
	const request = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" +
		"\x00\x00\x06\x04\x00\x00\x00\x00\x00" + "\x00\x04\x7f\xff\xff\xff" +
		"\x00\x00\x04\x08\x00\x00\x00\x00\x00" + "\x7f\xff\x00\x00" +
		"\x00\x00\x06\x01\x05\x00\x00\x00\x01" + "\x82\x84\x86\x41\x01x"
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	<-ended
}

// Patience is for writes alone: a pause between them, and one before the first, do not count.
func TestSlowAnswerIsNotCut(t *testing.T) {
	t.Parallel()
	const wait = 20 * time.Millisecond
	for name, client := range clients(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := serveStalling(t, wait, func(w http.ResponseWriter, _ *http.Request) {
				for range 3 {
					time.Sleep(2 * wait)
					_, _ = io.WriteString(w, "piece ")
					_ = http.NewResponseController(w).Flush()
				}
				time.Sleep(2 * wait)
			})
			for range 2 { // the connection serves another request
				resp, err := client.Get(url)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(resp.Body)
				if err != nil || string(body) != "piece piece piece " {
					t.Errorf("%q, %v", body, err)
				}
				resp.Body.Close()
			}
		})
	}
}
