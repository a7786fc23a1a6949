package invoke

import (
	"context"
	"fmt"
	"time"

	"outcrop.dev/outcrop"
)

// readyPoll is how often the store is asked whether a throughput is ready: a tenth of the
// time in which a small model is loaded.
const readyPoll = 50 * time.Millisecond

// await waits until the target can serve: scripts invoke a throughput right after creating
// it. CodeModelNotReady if it is still Creating after Options.ReadyWait, CodeModelError if
// it failed, CodeNotFound if it is deleted meanwhile.
func (v *Invoker) await(ctx context.Context, t outcrop.Target) error {
	if t.Throughput == (outcrop.Key{}) {
		return nil
	}
	until := v.opt.Now().Add(v.opt.ReadyWait)
	for {
		rec, err := v.store.Get(ctx, t.Throughput)
		if err != nil {
			return fmt.Errorf("read the throughput: %w", err)
		}
		if rec.Status != outcrop.ThroughputCreating {
			return checkServes(rec)
		}
		if !v.opt.Now().Before(until) {
			return outcrop.Errorf(outcrop.CodeModelNotReady,
				"Model is not ready for inference. Wait and try your request again. Provisioned throughput %s has been Creating for longer than %s.", rec.Name, v.opt.ReadyWait)
		}
		select {
		case <-v.opt.After(readyPoll):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// checkServes returns why a throughput that is not Creating takes no requests, nil if it does.
func checkServes(rec outcrop.Record) error {
	switch rec.Status {
	case outcrop.ThroughputInService, outcrop.ThroughputUpdating:
		return nil
	case outcrop.ThroughputFailed:
		th, err := outcrop.ThroughputOf(rec)
		if err != nil {
			return err
		}
		return outcrop.Errorf(outcrop.CodeModelError,
			"Provisioned throughput %s has failed, and is not tried again by itself: %s Update it with a desiredModelId that can be served, which may be the same again, or delete it.", th.Name, th.FailureMessage)
	}
	return fmt.Errorf("throughput %s has the status %q", rec.ARN, rec.Status)
}
