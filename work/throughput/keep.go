package throughput

import (
	"context"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/internal/pause"
	"outcrop.dev/outcrop/internal/rows"
)

// holding is what a throughput keeps loaded, by a Load of its own.
type holding struct {
	id     outcrop.ModelID
	broken bool // it could not be loaded in advance: nothing is, and it is not tried again
}

// Run keeps loaded what is InService, until ctx ends.
func (k *Kind) Run(ctx context.Context) error {
	defer k.running.Wait()
	pause.Loop(ctx, k.bell, func(ctx context.Context) time.Duration {
		if err := k.keep(ctx); err != nil && ctx.Err() == nil {
			k.log.Error("list throughput", "error", err)
		}
		return pollEvery
	})
	return nil
}

// keep looks at every throughput once: it lets go what is not there any more, and loads what is in
// service and is not held.
func (k *Kind) keep(ctx context.Context) error {
	live := map[outcrop.ARN]bool{}
	var serving []*outcrop.Throughput
	for rec, err := range rows.All(ctx, k.store.List, outcrop.Query{Kind: outcrop.KindThroughput, AllScopes: true, Ascending: true}) {
		if err != nil {
			return err
		}
		live[rec.ARN] = true
		t, err := outcrop.ThroughputOf(rec)
		if err != nil {
			continue // damaged: the others are served
		}
		if t.Status == outcrop.ThroughputInService {
			serving = append(serving, t)
		}
	}
	k.releaseMissing(live)
	for _, t := range serving {
		k.startPreload(ctx, t)
	}
	return nil
}

// startPreload preloads a throughput's model in a goroutine, unless it is held or worked on.
func (k *Kind) startPreload(ctx context.Context, t *outcrop.Throughput) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, held := k.held[t.ARN]; held || k.working[t.ARN] {
		return
	}
	k.working[t.ARN] = true
	k.running.Go(func() {
		k.preload(ctx, t)
		k.done(t.ARN)
	})
}

// done notes that nobody works on a throughput any more. It may have changed meanwhile.
func (k *Kind) done(arn outcrop.ARN) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.working, arn)
	k.Notify()
}

// preload loads the model of a throughput that was InService before the server started. Where there
// is no room for it now, it is tried again later, for only what is held stays in memory. Else it is
// not: a request will, and will be told what is wrong.
func (k *Kind) preload(ctx context.Context, t *outcrop.Throughput) {
	id, err := k.loadInAdvance(ctx, t)
	switch {
	case ctx.Err() != nil:
		return
	case outcrop.CodeOf(err) == outcrop.CodeModelNotReady:
		k.log.Warn("no room for the model of a throughput yet", "throughput", t.ARN, "model", t.ModelARN, "error", err)
		pause.For(ctx, pollEvery, nil)
		return
	case err != nil:
		k.log.Warn("load model in advance", "throughput", t.ARN, "model", t.ModelARN, "error", err)
	}
	k.hold(t.ARN, holding{id: id, broken: err != nil})
}

// loadInAdvance loads a model when nobody waits for another, one at a time.
func (k *Kind) loadInAdvance(ctx context.Context, t *outcrop.Throughput) (id outcrop.ModelID, err error) {
	select {
	case k.warm <- struct{}{}:
		defer func() { <-k.warm }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	for k.waiting.Load() > 0 && ctx.Err() == nil { // somebody waits for those
		pause.For(ctx, preloadPoll, nil)
	}
	return k.load(ctx, t.ARN, t.ModelARN)
}

// serves reports whether a throughput has a model loaded.
func (k *Kind) serves(arn outcrop.ARN) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	h, held := k.held[arn]
	return held && !h.broken
}

// hold notes what a throughput keeps loaded, and that it no longer does what it did before.
func (k *Kind) hold(arn outcrop.ARN, h holding) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.unload(arn)
	k.held[arn] = h
}

// release notes that a throughput keeps nothing loaded.
func (k *Kind) release(arn outcrop.ARN) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.unload(arn)
}

// releaseMissing releases what throughput held that is not live any more.
func (k *Kind) releaseMissing(live map[outcrop.ARN]bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for arn := range k.held {
		if !live[arn] && !k.working[arn] {
			k.unload(arn)
		}
	}
}

// unload takes back the one Load for which a throughput held a model. The engine counts them: a model
// leaves with the last of those that serve it. k.mu is held.
func (k *Kind) unload(arn outcrop.ARN) {
	if h, held := k.held[arn]; held && !h.broken {
		k.engine.Unload(h.id)
	}
	delete(k.held, arn)
}
