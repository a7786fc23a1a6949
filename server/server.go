// Package server joins the rooms: it is the only place that knows all of them. It builds
// them, puts the AWS services, the attempt API, health and metrics behind one port, and shuts
// everything down in order.
//
//	s, err := server.New(ctx, server.Config{DataDir: dir})
//	err = s.Run(ctx) // until ctx ends
//
// The data directory:
//
//	lock                    held by the server that runs, with its pid
//	server.json             where that server listens
//	root-credentials.json   the root key, unless it comes from the environment
//	attempt-key             with which workers' tokens are made
//	outcrop.db              jobs, models, throughputs
//	usage.db                what was used, by the hour
//	s3/                     buckets and objects
//	foundation-models/      base models
//	models/                 tuned models, in Hugging Face layout
//	scratch/                jobs that are under way: checkpoints, logs of their workers
package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/iam"
	"outcrop.dev/outcrop/internal/lost"
	"outcrop.dev/outcrop/wire/sigv4"
)

// Server is Outcrop's control plane and model server.
type Server struct {
	cfg      Config
	root     iam.Key
	rooms    *rooms
	listener net.Listener

	endpoints endpoints
	verifier  sigv4.Verifier
	may       outcrop.Authorizer // nil: everything, as there is one principal, the account's root
	metrics   http.Handler
	attempts  http.Handler

	trusted     proxies
	conns       *connections
	guests      *guests
	bodyTimeout time.Duration // the constant, less in tests

	closers []func() error // in the order of construction
}

// New opens the data directory and builds a server that listens but does not serve yet. It
// fails if another server uses the directory (and names its pid), if the address is taken,
// or if something in the directory cannot be read.
func New(ctx context.Context, cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	trusted, err := parseProxies(cfg.TrustedProxies)
	if err != nil {
		return nil, fmt.Errorf("the networks of trusted proxies: %w", err)
	}
	s := &Server{cfg: cfg, trusted: trusted, conns: newConnections(connectionsAllowed(descriptors()), trusted, time.Now), bodyTimeout: bodyTimeout}
	s.guests = newGuests(strangersMax, strangersEach, s.conns)
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *Server) open(ctx context.Context) error {
	if err := os.MkdirAll(s.cfg.DataDir, 0o700); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	lock, err := lockDir(s.cfg.DataDir)
	if err != nil {
		return err
	}
	s.closers = append(s.closers, lock.Unlock)
	if s.root, err = iam.LoadRoot(s.cfg.DataDir, s.cfg.RootKey); err != nil {
		return err
	}
	if s.listener, err = net.Listen("tcp", s.cfg.Listen); err != nil {
		return err
	}
	s.closers = append(s.closers, s.closeListener)
	if s.rooms, err = s.build(ctx); err != nil {
		return err
	}
	s.route()
	return nil
}

// URL is where the server can be reached, such as http://127.0.0.1:4510.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() }

// DataDir is the data directory, absolute.
func (s *Server) DataDir() string { return s.cfg.DataDir }

// RootKey is the key with which clients sign.
func (s *Server) RootKey() iam.Key { return s.root }

// Run serves until ctx ends, then lets requests in flight finish and closes everything.
// Workers go on by themselves; the next server finds them again. Run may be called once.
func (s *Server) Run(ctx context.Context) error {
	if err := writeInfo(s.cfg.DataDir, Info{PID: os.Getpid(), URL: s.URL()}); err != nil {
		return errors.Join(err, s.close())
	}
	g, running := errgroup.WithContext(ctx)
	g.Go(func() error { return s.rooms.supervisor.Run(running) })
	g.Go(func() error { return s.rooms.scrub.Run(running) })
	g.Go(func() error {
		found := lost.Folder{Dir: filepath.Join(s.path(modelsDir), lost.Name), Now: s.cfg.Clock, Log: s.cfg.Log}
		return s.rooms.models.Run(running, found, func(err error) { s.cfg.Log.Error("clean up", "err", err) })
	})
	g.Go(func() error { return serveUntil(running, newHTTPServer(s.handler(), s.conns, s.cfg.Log), s.listener) })
	err := g.Wait()
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = nil // told to stop before it had quite begun
	}
	return errors.Join(err, removeInfo(s.cfg.DataDir), s.close())
}

// close undoes what open did, last first.
func (s *Server) close() error {
	var err error
	for i := len(s.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, s.closers[i]())
	}
	s.closers = nil
	return err
}

// closeListener closes the listener if no HTTP server has.
func (s *Server) closeListener() error {
	if err := s.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// secretFile returns n random bytes that are made once and kept in the data directory.
func secretFile(dir, name string, n int) ([]byte, error) {
	path := filepath.Join(dir, name)
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		b = make([]byte, n)
		rand.Read(b) // never fails (crypto/rand)
		return b, writeSecret(path, b)
	}
	if err == nil && len(b) != n {
		err = fmt.Errorf("%s has %d bytes, not %d: delete it, and the jobs that run begin a new attempt", path, len(b), n)
	}
	return b, err
}
