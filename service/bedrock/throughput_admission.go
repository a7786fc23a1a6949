package bedrock

import (
	"context"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/service/internal/resource"
)

// checkThroughputAdmission checks that a new throughput's name is free and the quotas are not used up.
func (s *Service) checkThroughputAdmission(ctx context.Context, r outcrop.Reader, t *outcrop.Throughput) error {
	name := outcrop.Key{Kind: outcrop.KindThroughput, Scope: t.Scope, Ref: t.Name}
	if err := resource.CheckFree(ctx, r, name, errThroughputName()); err != nil {
		return err
	}
	others, err := throughputs.All(ctx, r, t.Scope)
	if err != nil {
		return err
	}
	err = resource.CheckQuota(len(others)+1, s.quotas.Throughputs, outcrop.KindThroughput.Nouns(), "Delete one with DeleteProvisionedModelThroughput.")
	if err != nil {
		return err
	}
	units := t.ModelUnits
	for _, other := range others {
		units += other.ModelUnits
	}
	return resource.CheckQuota(units, s.quotas.ModelUnits, "model units", "Ask for fewer, or delete a throughput.")
}

// checkServable refuses throughput whose model has been deleted.
func checkServable(ctx context.Context, r outcrop.Reader, t *outcrop.Throughput) error {
	return resource.CheckThere(ctx, r, t.DesiredModelARN)
}

func errThroughputName() error {
	return errInvalid("The provided provisioned model name is currently in use.")
}
