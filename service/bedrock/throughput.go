package bedrock

import (
	"context"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/service/internal/resource"
)

var throughputs = resource.Noun[*outcrop.Throughput]{
	Kind: outcrop.KindThroughput, Of: outcrop.ThroughputOf, Request: func(t *outcrop.Throughput) string { return t.Request },
}

func (s *Service) newThroughput(in *CreateProvisionedModelThroughputInput, m *outcrop.Model, tags map[string]string) *outcrop.Throughput {
	id, now := s.newID(), s.now()
	return &outcrop.Throughput{
		Meta: outcrop.Meta{
			Kind: outcrop.KindThroughput, Scope: m.Scope, ID: id, ARN: m.Scope.ARN(outcrop.KindThroughput, id), Name: in.ProvisionedModelName,
			Status: outcrop.ThroughputCreating, Parent: string(m.ARN()), Token: in.ClientRequestToken, Tags: tags, Created: now,
		},
		ModelUnits: in.ModelUnits, ModelARN: m.ARN(), DesiredModelARN: m.ARN(), FoundationModelARN: m.FoundationARN(),
		CommitmentDuration: in.CommitmentDuration, CommitmentExpires: commitmentEnd(now, in.CommitmentDuration),
	}
}

// commitmentEnd returns when a commitment that begins at t ends; zero without one.
func commitmentEnd(t time.Time, duration string) time.Time {
	switch duration {
	case "OneMonth":
		return t.AddDate(0, 1, 0)
	case "SixMonths":
		return t.AddDate(0, 6, 0)
	}
	return time.Time{}
}

// checkRoom checks that a new throughput's name is free and the quotas are not used up.
func (s *Service) checkRoom(ctx context.Context, r outcrop.Reader, t *outcrop.Throughput) error {
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
