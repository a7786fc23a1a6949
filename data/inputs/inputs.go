// Package inputs lets go of data that jobs were accepted with, when the jobs have ended. Such data
// lie in the system bucket by their digests (outcrop.Input); whoever accepts a job puts them there
// before the job's row is written.
//
//	in := inputs.New(blobs, rows, clock)
//	err := in.Run(ctx, failed)
//
// It knows neither what the data are nor who reads them.
package inputs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/blob"
	"outcrop.dev/outcrop/internal/pause"
	"outcrop.dev/outcrop/internal/rows"
)

const (
	// young is how long bytes stay that no job names: theirs may be about to be written, which
	// takes a second at most.
	young      = 10 * time.Minute
	sweepEvery = 10 * time.Minute
	page       = 1000
)

// Objects is what is needed of the object store.
type Objects interface {
	ListObjects(ctx context.Context, bucket string, q blob.ObjectQuery) (blob.ObjectPage, error)
	Delete(ctx context.Context, bucket, key string, c blob.Condition) error
}

// Inputs are those of all jobs.
type Inputs struct {
	objects Objects
	rows    outcrop.Reader
	now     func() time.Time
	began   time.Time // what checks held before was another server's
}

// New returns the inputs that lie in objects, of the jobs in rows. It is called before the server's
// first check of data begins.
func New(objects Objects, rows outcrop.Reader, now func() time.Time) *Inputs {
	return &Inputs{objects, rows, now, now().Truncate(time.Millisecond)} // as objects keep it
}

// Run lets go of what a server that died had held for its checks, and sweeps again and again until
// ctx ends. failed gets the errors.
func (i *Inputs) Run(ctx context.Context, failed func(error)) error {
	report := func(err error) {
		if err != nil && ctx.Err() == nil {
			failed(err)
		}
	}
	report(i.Forget(ctx))
	pause.Loop(ctx, nil, func(ctx context.Context) time.Duration {
		report(i.Sweep(ctx))
		return sweepEvery
	})
	return nil
}

// Forget deletes what the checks of earlier servers had held.
func (i *Inputs) Forget(ctx context.Context) error {
	held, err := i.list(ctx, outcrop.HeldPrefix, i.began)
	if err != nil {
		return fmt.Errorf("list what checks have held: %w", err)
	}
	for _, o := range held {
		if err := i.objects.Delete(ctx, outcrop.SystemBucket, o.Key, unchanged(o)); err != nil {
			return fmt.Errorf("delete what a check has held: %w", err)
		}
	}
	return nil
}

// Sweep deletes the bytes that no job names which waits or runs.
//
// The order counts. A job's bytes are there before its row, so that those which were listed first,
// and are not young, have a row if they will ever have one. If they are put there once more
// meanwhile, for another job, they are no longer what was listed.
func (i *Inputs) Sweep(ctx context.Context) error {
	old, err := i.list(ctx, outcrop.BlobPrefix, i.now().Add(-young))
	if err != nil || len(old) == 0 {
		return err
	}
	named, err := i.named(ctx)
	if err != nil {
		return fmt.Errorf("sweep inputs: %w", err)
	}
	for _, o := range old {
		if named[o.Key] {
			continue
		}
		if err := i.objects.Delete(ctx, outcrop.SystemBucket, o.Key, unchanged(o)); err != nil && !errors.Is(err, blob.ErrPrecondition) {
			return fmt.Errorf("sweep inputs: %w", err)
		}
	}
	return nil
}

// unchanged is the condition that an object is still the one that was listed.
func unchanged(listed blob.Object) blob.Condition {
	return blob.Condition{Check: func(now blob.Object) bool { return now.ID == listed.ID }}
}

// list returns what lies in the system bucket under a prefix, from before some time. Where nothing
// was ever kept there is no bucket, and nothing.
func (i *Inputs) list(ctx context.Context, prefix string, before time.Time) (found []blob.Object, err error) {
	q := blob.ObjectQuery{Prefix: prefix, Max: page}
	for {
		p, err := i.objects.ListObjects(ctx, outcrop.SystemBucket, q)
		if errors.Is(err, blob.ErrNoSuchBucket) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		for _, o := range p.Objects {
			if o.Modified.Before(before) {
				found = append(found, o)
			}
		}
		if !p.Truncated {
			return found, nil
		}
		q.After = p.Last
	}
}

// named returns the keys of the bytes that live jobs need.
func (i *Inputs) named(ctx context.Context) (map[string]bool, error) {
	named := map[string]bool{}
	live := outcrop.Query{Kind: outcrop.KindJob, AllScopes: true, Statuses: []outcrop.Status{outcrop.JobInProgress, outcrop.JobStopping}, Ascending: true}
	for rec, err := range rows.All(ctx, i.rows.List, live) {
		if err != nil {
			return nil, err
		}
		job, err := outcrop.JobOf(rec)
		if err != nil {
			return nil, err
		}
		for _, in := range job.Inputs {
			named[outcrop.BlobKey(in.SHA256)] = true
		}
	}
	return named, nil
}
