// Package throughput is a stub.
package throughput

import (
	"context"
	"time"

	"outcrop.dev/outcrop"
)

type Reconciler struct {
	store  outcrop.Store
	engine outcrop.Engine
	dir    func(context.Context, outcrop.ARN) (string, error)
}

func New(s outcrop.Store, e outcrop.Engine, dir func(context.Context, outcrop.ARN) (string, error)) *Reconciler {
	return &Reconciler{s, e, dir}
}
func (r *Reconciler) Notify() {}
func (r *Reconciler) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		recs, _, _ := r.store.List(ctx, outcrop.Query{Kind: outcrop.KindThroughput, AllScopes: true, Statuses: []string{outcrop.ThroughputCreating}})
		for _, rec := range recs {
			t, _ := outcrop.ThroughputOf(rec)
			d, err := r.dir(ctx, t.ModelARN)
			if err == nil {
				err = r.engine.Load(ctx, d)
			}
			t.Status = outcrop.ThroughputInService
			if err != nil {
				t.Status = outcrop.ThroughputFailed
				t.FailureMessage = err.Error()
			}
			r.store.Apply(ctx, outcrop.Change{Op: outcrop.OpUpdate, Record: t.Record()})
		}
		time.Sleep(100 * time.Millisecond)
	}
	return nil
}
