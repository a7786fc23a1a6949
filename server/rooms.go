package server

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/blob/disk"
	"outcrop.dev/outcrop/data/inputs"
	"outcrop.dev/outcrop/data/meter"
	"outcrop.dev/outcrop/data/store/sqlite"
	"outcrop.dev/outcrop/engine/infer"
	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/gemm"
	"outcrop.dev/outcrop/internal/durable"
	"outcrop.dev/outcrop/models"
	"outcrop.dev/outcrop/models/catalog"
	"outcrop.dev/outcrop/service/bedrockruntime"
	"outcrop.dev/outcrop/work"
	"outcrop.dev/outcrop/work/attempt"
	"outcrop.dev/outcrop/work/launch/local"
	"outcrop.dev/outcrop/work/throughput"
)

// Names inside the data directory; the package comment says what they are.
const (
	databaseFile   = "outcrop.db"
	usageFile      = "usage.db"
	attemptKeyFile = "attempt-key"
	objectsDir     = "s3"
	modelsDir      = "models"
	scratchDir     = "scratch"
)

// rooms is everything that lives behind the services.
type rooms struct {
	rows       *sqlite.Store
	store      *notifyingStore // rows, telling the supervisor what is written
	blobs      *disk.Store
	inputs     *inputs.Inputs
	catalog    *catalog.Catalog
	models     *models.Models
	engine     *infer.Engine
	meter      *meter.Meter
	signer     attempt.Signer
	attempts   *work.Attempts
	supervisor *work.Supervisor
	scrub      *modelScrub
}

// build makes the rooms, in the order in which they need each other.
func (s *Server) build(ctx context.Context) (*rooms, error) {
	r := &rooms{}
	for _, step := range []func(context.Context, *rooms) error{
		s.buildStores, s.buildEngine, s.buildMeter, s.buildWork,
	} {
		if err := step(ctx, r); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (s *Server) path(name string) string { return filepath.Join(s.cfg.DataDir, name) }

func (s *Server) onClose(f func() error) { s.closers = append(s.closers, f) }

func (s *Server) buildStores(ctx context.Context, r *rooms) error {
	for _, dir := range []string{modelsDir, scratchDir, objectsDir} {
		if err := os.MkdirAll(s.path(dir), 0o700); err != nil {
			return err
		}
	}
	rows, err := sqlite.OpenWith(ctx, s.path(databaseFile),
		sqlite.Options{Now: s.cfg.Clock, Beside: []string{s.path(modelsDir)}, Room: s.room, Log: s.cfg.Log})
	if err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	s.onClose(rows.Close)
	r.rows = rows
	r.scrub = newModelScrub(s.cfg.DataDir, s.cfg.Log, s.cfg.Clock)
	r.store = &notifyingStore{Store: rows, changed: map[outcrop.Kind]func(){
		outcrop.KindCustomModel: func() { r.models.Notify(); r.scrub.bell.Ring() },
	}}
	if s.objectRoom, err = s.keepRoom(s.path(objectsDir)); err != nil {
		return err
	}
	if r.blobs, err = disk.Open(ctx, s.path(objectsDir), disk.Options{Now: s.cfg.Clock, Rand: rand.Reader, Log: s.cfg.Log, Room: s.objectRoom}); err != nil {
		return fmt.Errorf("open the object store: %w", err)
	}
	s.onClose(r.blobs.Close)
	r.inputs = inputs.New(r.blobs, rows, s.cfg.Clock)
	if r.catalog, err = catalog.Open(s.cfg.DataDir, bedrockruntime.Dialects()...); err != nil {
		return fmt.Errorf("open the catalog: %w", err)
	}
	r.models = models.New(r.catalog, rows, s.path(modelsDir))
	for _, problem := range r.catalog.Problems() {
		s.cfg.Log.Warn("catalog", "problem", problem)
	}
	return nil
}

func (s *Server) buildEngine(_ context.Context, r *rooms) error {
	kernel := gemm.Best()
	if s.cfg.Kernel != "" {
		var err error
		if kernel, err = gemm.ByName(s.cfg.Kernel); err != nil {
			return err
		}
	}
	pool := tensor.NewPool(s.threads())
	s.onClose(func() error { pool.Close(); return nil })
	r.engine = infer.New(infer.Options{
		Exec:        nn.Exec{Pool: pool, Kernel: kernel, Int8: s.cfg.Int8},
		Check:       r.scrub.Check,
		WeightBytes: s.cfg.ModelBytes,
		CacheBytes:  s.cfg.CacheBytes,
		NoReuse:     s.cfg.NoReuse,
		AfterFunc:   func(d time.Duration, f func()) func() bool { return time.AfterFunc(d, f).Stop },
		Seed:        newSeed,
	})
	s.onClose(func() error { r.engine.Close(); return nil })
	return nil
}

func (s *Server) threads() int {
	if s.cfg.Threads > 0 {
		return s.cfg.Threads
	}
	return runtime.GOMAXPROCS(0)
}

func (s *Server) buildWork(_ context.Context, r *rooms) error {
	key, err := secretFile(s.cfg.DataDir, attemptKeyFile, attempt.KeyBytes)
	if err != nil {
		return err
	}
	r.signer = attempt.NewSigner(key)
	command, err := s.workerCommand()
	if err != nil {
		return err
	}
	launcher := local.New(local.Config{
		Command: command, DataDir: s.cfg.DataDir, ScratchRoot: s.path(scratchDir),
		Env: withoutSecrets(os.Environ()), Nice: local.NiceDefault, Log: s.cfg.Log,
	})
	r.attempts = work.NewAttempts(r.store, launcher, r.signer, r.meter, work.ProcessOptions{
		ScratchRoot: s.path(scratchDir), Threads: s.threads(), Now: s.cfg.Clock, Log: s.cfg.Log,
	})
	kinds := []work.Kind{throughput.New(r.store, r.engine, r.models.Files, s.cfg.Log)}
	for _, kind := range s.cfg.Processes {
		kinds = append(kinds, kind(work.Site{Attempts: r.attempts, Files: r.models.Files, ModelDir: r.models.Dir}))
	}
	s.supervise(r, kinds...)
	r.meter.Watch(r.rows.Counts, r.attempts.Running)
	r.meter.Gauge("outcrop_damaged_files", "Files of objects, and models, that are known to hold wrong bytes.", func() float64 {
		return float64(r.blobs.Damaged() + r.scrub.Damaged())
	})
	return nil
}

// supervise makes the supervisor of all kinds of work, which is told at once when a record of one
// is written.
func (s *Server) supervise(r *rooms, kinds ...work.Kind) {
	r.supervisor = work.New(r.store, work.Options{Owner: s.cfg.DataDir, Log: s.cfg.Log}, kinds...)
	for _, k := range kinds {
		r.store.changed[k.Noun()] = r.supervisor.Notify
	}
}

func (s *Server) buildMeter(ctx context.Context, r *rooms) error {
	var err error
	if r.meter, err = meter.Open(ctx, s.path(usageFile), s.room, s.cfg.Log); err != nil {
		return fmt.Errorf("open the usage database: %w", err)
	}
	s.onClose(r.meter.Close)
	return nil
}

// workerCommand is this program, unless the configuration names another.
func (s *Server) workerCommand() ([]string, error) {
	if s.cfg.Worker != nil {
		return s.cfg.Worker, nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program, to start workers with: %w", err)
	}
	return []string{self, "worker"}, nil
}

// withoutSecrets returns the environment without anybody's credentials: a worker has its
// attempt's token and needs no other.
func withoutSecrets(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(v string) bool {
		return strings.HasPrefix(v, "AWS_") || strings.HasPrefix(v, "OUTCROP_ROOT_")
	})
}

func writeSecret(path string, b []byte) error { return durable.WriteBytes(path, 0o600, b) }
