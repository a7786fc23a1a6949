package models

import (
	"context"
	"fmt"
	"os"
	"time"

	"outcrop.dev/outcrop/internal/lost"
	"outcrop.dev/outcrop/internal/pause"
)

// The pace of Run.
const (
	sweepEvery = time.Hour   // for what Notify was not called for
	sweepRetry = time.Minute // after an error of the store or the disk
)

// Notify says that a model may have been deleted. It never waits.
func (m *Models) Notify() { m.deleted.Ring() }

// Run sweeps at once, and whenever it is notified, until ctx ends. failed gets the errors.
func (m *Models) Run(ctx context.Context, found lost.Folder, failed func(error)) error {
	pause.Loop(ctx, m.deleted, func(ctx context.Context) time.Duration {
		err := m.Sweep(ctx, found)
		if err == nil || ctx.Err() != nil {
			return sweepEvery
		}
		failed(err)
		return sweepRetry
	})
	return nil
}

// Sweep removes every directory that belongs to no custom model and to no job that may still make
// it one. A deleted model's row goes first, so that a server that dies in between leaves files
// without a row, never a row without files; the next one sweeps when it starts. What had an owner
// at an earlier sweep has lost it since, and is deleted. What never had one may be a crash's, or
// that of rows that are missing: it is kept in found.
//
// The order counts: a job moves its model's files into place before it commits the model's row, so
// what was listed first has an owner in the jobs or, if it has ended since, in the models.
func (m *Models) Sweep(ctx context.Context, found lost.Folder) error {
	entries, err := os.ReadDir(m.dir)
	if err != nil {
		return fmt.Errorf("sweep models: %w", err)
	}
	owned, err := m.owned(ctx)
	if err != nil {
		return fmt.Errorf("sweep models: %w", err)
	}
	for _, e := range entries {
		switch id := e.Name(); {
		case owned[id] || id == lost.Name:
			continue
		case m.seen[id]:
			err = os.RemoveAll(m.Dir(id))
		default:
			err = found.Keep(m.Dir(id))
		}
		if err != nil {
			return fmt.Errorf("sweep models: %w", err)
		}
	}
	m.seen = owned
	return found.Expire()
}

// owned returns the ids of the custom models that there are or will be.
func (m *Models) owned(ctx context.Context) (map[string]bool, error) {
	owned := map[string]bool{}
	for _, n := range m.nouns {
		if n.owns == nil {
			continue
		}
		for rec, err := range m.all(ctx, n) {
			if err != nil {
				return nil, err
			}
			ids, err := n.owns(rec)
			if err != nil {
				return nil, err
			}
			for _, id := range ids {
				owned[id] = true
			}
		}
	}
	return owned, nil
}
