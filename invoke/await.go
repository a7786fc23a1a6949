package invoke

import (
	"context"
	"fmt"
	"time"

	"outcrop.dev/outcrop"
)

// readyPoll is how often the store is asked whether reserved capacity is ready: a tenth of the
// time in which a small model is loaded.
const readyPoll = 50 * time.Millisecond

// await waits until the target can serve: scripts invoke a throughput right after creating
// it. CodeModelNotReady if it is not ready after Options.ReadyWait, CodeNotFound if it is deleted
// meanwhile, else what Target.CheckServes says.
func (v *Invoker) await(ctx context.Context, t outcrop.Target) error {
	if t.Reserved == (outcrop.Key{}) {
		return nil
	}
	until := v.opt.Now().Add(v.opt.ReadyWait)
	for {
		rec, err := v.store.Get(ctx, t.Reserved)
		if err != nil {
			return fmt.Errorf("read what is reserved: %w", err)
		}
		if err = t.CheckServes(rec); outcrop.CodeOf(err) != outcrop.CodeModelNotReady {
			return err
		}
		if !v.opt.Now().Before(until) {
			return outcrop.Errorf(outcrop.CodeModelNotReady,
				"Model is not ready for inference. Wait and try your request again. The %s %s has been %s for longer than %s.",
				rec.Kind.Noun(), rec.Name, rec.Status, v.opt.ReadyWait)
		}
		select {
		case <-v.opt.After(readyPoll):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
