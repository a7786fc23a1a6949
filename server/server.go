// Package server joins the rooms: it is the only place that knows all of them. It builds
// them, puts the AWS services, the attempt API, health and metrics behind one port, and shuts
// everything down in order.
//
//	s, err := server.New(ctx, server.Config{DataDir: dir})
//	err = s.Run(ctx) // until ctx ends
//
// The data directory:
//
//	reserve                 room that is kept back for deletions on a full disk
//	lock                    held by the server that runs, with its pid
//	server.json             where that server listens
//	format.json             the number of the directory's form, and the program that gave it
//	tls-cert.pem, tls-key.pem  the certificate that it makes for itself, if it is asked to
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
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/iam"
	"outcrop.dev/outcrop/internal/lost"
	"outcrop.dev/outcrop/internal/reserve"
	"outcrop.dev/outcrop/wire/sigv4"
)

// Server is Outcrop's control plane and model server.
type Server struct {
	cfg   Config
	root  iam.Key
	rooms *rooms

	listeners       []net.Listener
	metricsListener net.Listener // nil: none
	public, local   string       // host:port, for clients and for this machine
	certificate     *certificate // nil: clear text
	stopping        atomic.Bool
	both            bool // it listens on IPv4 and IPv6

	endpoints endpoints
	verifier  sigv4.Verifier
	may       outcrop.Authorizer // nil: everything, as there is one principal, the account's root
	metrics   http.Handler
	attempts  http.Handler

	trusted proxies
	conns   *connections
	guests  *guests

	run  string // tells this run from all others
	lock *dirLock

	bodyTimeout, shutdownTimeout, lockEvery time.Duration // the constants, less in tests

	room, objectRoom *reserve.Reserve // of the databases, and of the objects: one, unless they have disks of their own

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
	s := &Server{cfg: cfg, trusted: trusted, conns: newConnections(connectionsAllowed(descriptors()), trusted, time.Now), bodyTimeout: bodyTimeout, shutdownTimeout: shutdownTimeout, lockEvery: lockEvery, run: newID()}
	s.guests = newGuests(strangersMax, strangersEach, s.conns)
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *Server) open(ctx context.Context) error {
	if err := s.ownDirectory(); err != nil {
		return fmt.Errorf("the data directory: %w", err)
	}
	var err error
	if s.lock, err = lockDir(s.cfg.DataDir); err != nil {
		return err
	}
	s.closers = append(s.closers, s.lock.Unlock)
	if s.room, err = s.keepRoom(s.cfg.DataDir); err != nil {
		return err
	}
	if err := errors.Join(s.pinFormat(), s.lock.holdDatabases()); err != nil {
		return err
	}
	if s.root, err = iam.LoadRoot(s.cfg.DataDir, s.cfg.RootKey); err != nil {
		return err
	}
	if err = s.listen(); err != nil {
		return err
	}
	if s.rooms, err = s.build(ctx); err != nil {
		return err
	}
	if err := s.lock.holdDatabases(); err != nil {
		return err
	}
	s.route()
	return nil
}

// ownDirectory makes the data directory, which nobody else may look into.
func (s *Server) ownDirectory() error {
	if err := os.MkdirAll(s.cfg.DataDir, dataDirMode); err != nil {
		return err
	}
	info, err := os.Stat(s.cfg.DataDir)
	if err != nil || info.Mode().Perm()&^dataDirMode == 0 {
		return err
	}
	s.cfg.Log.Warn("others could look into the data directory; now they cannot", "directory", s.cfg.DataDir, "mode", info.Mode().Perm())
	return os.Chmod(s.cfg.DataDir, dataDirMode)
}

const dataDirMode = 0o700

// URL is where this machine reaches the server, such as http://127.0.0.1:4510.
func (s *Server) URL() string { return "http://" + s.local }

// PublicURL is where clients reach it.
func (s *Server) PublicURL() string {
	scheme := "http://"
	if s.certificate != nil {
		scheme = "https://"
	}
	return scheme + cmp.Or(s.cfg.Advertise, s.public)
}

// BothFamilies tells whether clients come by IPv4 and by IPv6.
func (s *Server) BothFamilies() bool { return s.both }

// CABundle is the file with the certificate that the server has made for itself, "" if it has not, and
// Fingerprint its SHA-256.
func (s *Server) CABundle() string {
	if !s.cfg.TLSSelfSigned {
		return ""
	}
	return s.path(selfCertFile)
}

// Fingerprint is the SHA-256 of the server's certificate; "" without TLS.
func (s *Server) Fingerprint() string {
	if s.certificate == nil {
		return ""
	}
	return s.certificate.fingerprint()
}

// DataDir is the data directory, absolute.
func (s *Server) DataDir() string { return s.cfg.DataDir }

// RootKey is the key with which clients sign.
func (s *Server) RootKey() iam.Key { return s.root }

// Run serves until ctx ends, then lets requests in flight finish and closes everything.
// Workers go on by themselves; the next server finds them again. Run may be called once.
func (s *Server) Run(ctx context.Context) error {
	info := Info{PID: os.Getpid(), URL: s.URL(), Public: s.PublicURL(), CABundle: s.CABundle(), Run: s.run}
	if err := s.room.Spend(func() error { return writeInfo(s.cfg.DataDir, info) }); err != nil {
		return errors.Join(err, s.close())
	}
	g, running := errgroup.WithContext(ctx)
	g.Go(func() error { return s.lock.watch(running, s.lockEvery) })
	g.Go(func() error { return s.rooms.supervisor.Run(running) })
	g.Go(func() error { return s.rooms.scrub.Run(running) })
	g.Go(func() error {
		return s.rooms.inputs.Run(running, func(err error) { s.cfg.Log.Error("clean up", "err", err) })
	})
	g.Go(func() error {
		found := lost.Folder{Dir: filepath.Join(s.path(modelsDir), lost.Name), Now: s.cfg.Clock, Log: s.cfg.Log}
		return s.rooms.models.Run(running, found, func(err error) { s.cfg.Log.Error("clean up", "err", err) })
	})
	g.Go(func() error { return s.serve(running) })
	err := g.Wait()
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = nil // told to stop before it had quite begun
	}
	return errors.Join(err, removeInfo(s.cfg.DataDir, info), s.close())
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
