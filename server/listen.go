package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Limits of the HTTP layer. There is none on a whole request: uploads and generations take
// as long as they take, and end when the client goes, or takes nothing any more (stallTimeout).
const (
	// bodyTimeout is for the body of a request of which we do not know yet who sends it. It
	// has at most sigv4.BufferedMax bytes, for which a line of 1 Mbit/s is fast enough.
	bodyTimeout = 5 * time.Minute

	headerTimeout   = 30 * time.Second // a client that opens a connection and says nothing
	idleTimeout     = 2 * time.Minute  // longer than the SDKs keep idle connections
	headerBytesMax  = 64 << 10         // S3 allows 8 KB of headers, presigned URLs and tokens some more
	shutdownTimeout = 20 * time.Second // for requests in flight, once told to stop
)

// newHTTPServer speaks HTTP/1.1 and clear-text HTTP/2 on one port: the AWS SDK for
// JavaScript begins Bedrock Runtime calls with HTTP/2 by prior knowledge.
func newHTTPServer(h http.Handler, log *slog.Logger) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler:           h,
		Protocols:         protocols,
		HTTP2:             &http.HTTP2Config{WriteByteTimeout: stallTimeout}, // of a connection: cutStalled is for its streams
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    headerBytesMax,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// serveUntil serves ln until ctx ends, then lets requests in flight finish.
func serveUntil(ctx context.Context, s *http.Server, ln net.Listener) error {
	failed := make(chan error, 1)
	go func() { failed <- s.Serve(ln) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	err := s.Shutdown(drain)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.Close() // what is still running is cut off
	}
	return err
}
