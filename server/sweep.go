package server

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"outcrop.dev/outcrop"
)

// sweepRetry is how long the sweeper waits after an error of the store or the disk.
const sweepRetry = time.Minute

// sweeper removes the files of tuned models that have been deleted. The row goes first, so
// that a server that dies in between leaves files without a row, never a row without files;
// the next one sweeps when it starts.
type sweeper struct {
	dir   string // of all tuned models; each has a directory named by its id
	store outcrop.Store
	wake  chan struct{}
}

func newSweeper(dir string, store outcrop.Store) *sweeper {
	return &sweeper{dir: dir, store: store, wake: make(chan struct{}, 1)}
}

// Notify says that a model may have been deleted. It never waits.
func (s *sweeper) Notify() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run sweeps at once, and whenever it is notified, until ctx ends.
func (s *sweeper) Run(ctx context.Context, failed func(error)) error {
	for ctx.Err() == nil {
		var retry <-chan time.Time
		if err := s.sweep(ctx); err != nil && ctx.Err() == nil {
			failed(err)
			retry = time.After(sweepRetry)
		}
		select {
		case <-ctx.Done():
		case <-s.wake:
		case <-retry:
		}
	}
	return nil
}

// sweep removes every directory that belongs to no model and to no job that may still make
// it one. The order counts: a job moves its model's files into place before it commits the
// model's row, so what was listed first has an owner in the jobs or, if it has ended since,
// in the models.
func (s *sweeper) sweep(ctx context.Context) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("sweep models: %w", err)
	}
	owned := map[string]bool{}
	active := outcrop.Query{Kind: outcrop.KindJob, AllScopes: true, Statuses: []outcrop.Status{outcrop.JobInProgress, outcrop.JobStopping}}
	for rec, err := range outcrop.All(ctx, s.store.List, active) {
		if err != nil {
			return fmt.Errorf("sweep models: %w", err)
		}
		j, err := outcrop.JobOf(rec)
		if err != nil {
			return err
		}
		owned[j.CustomModelID] = true
		for _, epoch := range j.CheckpointEpochs() {
			owned[j.CheckpointID(epoch)] = true
		}
	}
	for rec, err := range outcrop.All(ctx, s.store.List, outcrop.Query{Kind: outcrop.KindCustomModel, AllScopes: true}) {
		if err != nil {
			return fmt.Errorf("sweep models: %w", err)
		}
		owned[rec.ID] = true
	}
	for _, e := range entries {
		if owned[e.Name()] {
			continue
		}
		if err := os.RemoveAll(filepath.Join(s.dir, e.Name())); err != nil {
			return fmt.Errorf("sweep models: %w", err)
		}
	}
	return nil
}
