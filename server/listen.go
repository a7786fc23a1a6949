package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
)

// newHTTPServer speaks HTTP/1.1 and clear-text HTTP/2 on one port: the AWS SDK for
// JavaScript begins Bedrock Runtime calls with HTTP/2 by prior knowledge.
func newHTTPServer(h http.Handler, conns *connections, log *slog.Logger) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler:           h,
		Protocols:         protocols,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: streamsMax, WriteByteTimeout: stallTimeout}, // of a connection: cutStalled is for its streams
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    headerBytesMax,
		ConnContext:       conns.accepted,
		ConnState:         conns.state,
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
