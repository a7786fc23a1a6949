package bedrock

import (
	"context"

	"outcrop.dev/outcrop"
)

// DeleteProvisionedModelThroughput ends throughput; its model stays. One that is updating, or
// whose commitment has not run out, is a conflict.
func (s *Service) DeleteProvisionedModelThroughput(ctx context.Context, in *DeleteProvisionedModelThroughputInput) (*DeleteProvisionedModelThroughputOutput, error) {
	return &DeleteProvisionedModelThroughputOutput{}, throughputs.Delete(ctx, s.store, in.ProvisionedModelId, s.checkDeletable)
}

func (s *Service) checkDeletable(_ context.Context, _ outcrop.Reader, t *outcrop.Throughput) error {
	if t.Status == outcrop.ThroughputUpdating {
		return outcrop.Errorf(outcrop.CodeConflict, "The provisioned model throughput %s is %s. Wait until it is InService.", t.Name, t.Status)
	}
	if s.now().Before(t.CommitmentExpires) {
		return outcrop.Errorf(outcrop.CodeConflict, "The provisioned model throughput %s has a commitment (%s) until %s, and cannot be deleted before.",
			t.Name, t.CommitmentDuration, t.CommitmentExpires.UTC().Format("2006-01-02 15:04 MST"))
	}
	return nil
}
