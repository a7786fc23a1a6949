package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"outcrop.dev/outcrop"
)

// newHTTPServer speaks HTTP/1.1 and clear-text HTTP/2 on one port: the AWS SDK for
// JavaScript begins Bedrock Runtime calls with HTTP/2 by prior knowledge.
func newHTTPServer(h http.Handler, conns *connections, log *slog.Logger) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler:                      h,
		DisableGeneralOptionsHandler: true, // OPTIONS * is answered as the rest
		Protocols:                    protocols,
		HTTP2:                        &http.HTTP2Config{MaxConcurrentStreams: streamsMax, WriteByteTimeout: stallTimeout}, // of a connection: cutStalled is for its streams
		ReadHeaderTimeout:            headerTimeout,
		IdleTimeout:                  idleTimeout,
		MaxHeaderBytes:               headerBytesMax,
		ConnContext:                  conns.accepted,
		ConnState:                    conns.state,
		ErrorLog:                     slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// listen opens the server's ports: the one for all, and where that speaks TLS another for this machine,
// as workers and commands know of no certificate.
func (s *Server) listen() error {
	public, err := s.listenOn(s.cfg.Listen)
	if err != nil {
		return err
	}
	if err := s.cfg.checkClearText(public.Addr()); err != nil {
		return err
	}
	s.public, s.both = reachable(public.Addr()), both(public.Addr())
	if s.cfg.Metrics != "" {
		if s.metricsListener, err = s.listenOn(s.cfg.Metrics); err != nil {
			return fmt.Errorf("listen for metrics: %w", err)
		}
	}
	if !s.cfg.encrypted() {
		s.listeners, s.local = []net.Listener{dressed{public}}, s.public
		return nil
	}
	if s.certificate, err = s.loadCertificate(public.Addr()); err != nil {
		return err
	}
	local, err := s.listenOn("127.0.0.1:0")
	if err != nil {
		return err
	}
	s.listeners, s.local = []net.Listener{tls.NewListener(public, s.certificate.config()), dressed{local}}, local.Addr().String()
	return nil
}

// listenOn listens, until the server is closed.
func (s *Server) listenOn(address string) (net.Listener, error) {
	kind, err := network(address)
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen(kind, address)
	if err != nil {
		return nil, err
	}
	s.onClose(func() error {
		if err := ln.Close(); err != nil && !errors.Is(err, net.ErrClosed) { // an HTTP server has, perhaps
			return err
		}
		return nil
	})
	return ln, nil
}

func (s *Server) loadCertificate(listen net.Addr) (*certificate, error) {
	cert, key := s.cfg.TLSCert, s.cfg.TLSKey
	if s.cfg.TLSSelfSigned {
		cert, key = s.path(selfCertFile), s.path(selfKeyFile)
		if err := selfSigned(cert, key, s.cfg.certified(listen), s.cfg.Clock()); err != nil {
			return nil, fmt.Errorf("make a certificate: %w", err)
		}
	}
	return loadCertificate(cert, key, s.cfg.Clock, s.cfg.Log)
}

// errStopping ends the requests that are under way when the server has waited for them long enough.
var errStopping = outcrop.Errorf(outcrop.CodeServiceUnavailable, "The server is stopping. Send the request again.")

// serve serves until ctx ends, then says for a while that it is not ready, lets requests in flight
// finish, and ends those that do not. When it returns, no handler runs any more.
func (s *Server) serve(ctx context.Context) error {
	requests, end := context.WithCancelCause(context.WithoutCancel(ctx))
	defer end(nil)
	server := newHTTPServer(s.handler(), s.conns, s.cfg.Log)
	server.BaseContext = func(net.Listener) context.Context { return requests }
	failed := make(chan error, len(s.listeners)+1)
	for _, ln := range s.listeners {
		go func() { failed <- server.Serve(ln) }()
	}
	if s.metricsListener != nil {
		metrics := s.metricsServer()
		defer metrics.Close()
		go func() { failed <- metrics.Serve(s.metricsListener) }()
	}
	select {
	case err := <-failed:
		return errors.Join(err, server.Close())
	case <-ctx.Done():
	}
	s.stopping.Store(true)
	if s.cfg.DrainDelay > 0 {
		time.Sleep(s.cfg.DrainDelay) // a second signal ends the program at once
	}
	return s.drain(server, end)
}

// drain lets requests finish for shutdownTimeout, then tells them that the server is stopping, and gives
// their last words endingTimeout.
func (s *Server) drain(server *http.Server, end context.CancelCauseFunc) error {
	stop := time.AfterFunc(s.shutdownTimeout, func() { end(errStopping) })
	defer stop.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), s.shutdownTimeout+endingTimeout)
	defer cancel()
	err := server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close() // what is still running is cut off
	}
	s.guests.wait(endingTimeout)
	return err
}

// metricsServer shows the metrics to everybody.
func (s *Server) metricsServer() *http.Server {
	mux := http.NewServeMux()
	mux.Handle("GET "+pathMetrics, s.metrics)
	return newHTTPServer(mux, newConnections(metricsConnections, nil, time.Now), s.cfg.Log)
}
