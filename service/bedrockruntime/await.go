package bedrockruntime

import (
	"context"
	"fmt"

	"outcrop.dev/outcrop"
)

// await waits until the target can serve: scripts invoke a throughput right after creating
// it. CodeModelNotReady if it is still Creating after Options.ReadyWait, CodeModelError if
// it failed, CodeNotFound if it is deleted meanwhile.
func (s *Service) await(ctx context.Context, t outcrop.Target) error {
	if t.Throughput == (outcrop.Key{}) {
		return nil
	}
	until := s.opt.Now().Add(s.opt.ReadyWait)
	for {
		rec, err := s.store.Get(ctx, t.Throughput)
		if err != nil {
			return fmt.Errorf("read the throughput: %w", err)
		}
		if rec.Status != outcrop.ThroughputCreating {
			return serves(rec)
		}
		if !s.opt.Now().Before(until) {
			return outcrop.Errorf(outcrop.CodeModelNotReady,
				"Model is not ready for inference. Wait and try your request again. Provisioned throughput %s has been Creating for longer than %s.", rec.Name, s.opt.ReadyWait)
		}
		select {
		case <-s.opt.After(readyPoll):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// serves returns nil if a throughput that is not Creating takes requests.
func serves(rec outcrop.Record) error {
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
