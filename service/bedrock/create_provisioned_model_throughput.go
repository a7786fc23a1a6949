package bedrock

import (
	"context"
	"time"

	"outcrop.dev/outcrop"
)

// CreateProvisionedModelThroughput reserves capacity for a model: a completed custom model,
// or a foundation model. The row is left in Creating; whoever loads models carries it on.
func (s *Service) CreateProvisionedModelThroughput(ctx context.Context, in *CreateProvisionedModelThroughputInput) (*CreateProvisionedModelThroughputOutput, error) {
	sc, err := scope(ctx)
	if err != nil {
		return nil, err
	}
	tags, err := tagMap(in.Tags)
	if err != nil {
		return nil, err
	}
	request, err := fingerprint(in)
	if err != nil {
		return nil, err
	}
	s.admission.Lock()
	defer s.admission.Unlock()
	if done, err := s.sameThroughput(ctx, sc, in.ClientRequestToken, request); done != nil || err != nil {
		return done, err
	}
	m, err := s.models.Find(ctx, sc, in.ModelId)
	if err != nil {
		return nil, err
	}
	t := s.newThroughput(in, m, tags)
	t.Request = request
	if err := s.throughputFits(ctx, t); err != nil {
		return nil, err
	}
	if err := s.store.Apply(ctx, outcrop.Change{Op: outcrop.OpCreate, Record: t.Record()}); err != nil {
		return nil, err
	}
	return &CreateProvisionedModelThroughputOutput{ProvisionedModelArn: string(t.ARN)}, nil
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

// sameThroughput answers a request whose token has created throughput before, nil if it has
// not. The operation's model lists no ConflictException.
func (s *Service) sameThroughput(ctx context.Context, sc outcrop.Scope, token, request string) (*CreateProvisionedModelThroughputOutput, error) {
	rec, ok, err := s.createdBy(ctx, outcrop.KindThroughput, sc, token)
	if !ok || err != nil {
		return nil, err
	}
	first, err := outcrop.ThroughputOf(rec)
	if err != nil {
		return nil, err
	}
	if first.Request != request {
		return nil, reused(outcrop.CodeValidation, token)
	}
	return &CreateProvisionedModelThroughputOutput{ProvisionedModelArn: string(first.ARN)}, nil
}

// throughputFits checks that the name is free and the quotas are not used up.
func (s *Service) throughputFits(ctx context.Context, t *outcrop.Throughput) error {
	others, err := all(ctx, s, outcrop.Query{Kind: outcrop.KindThroughput, Scope: t.Scope}, outcrop.ThroughputOf)
	if err != nil {
		return err
	}
	units := t.ModelUnits
	for _, other := range others {
		if other.Name == t.Name {
			return throughputNameTaken()
		}
		units += other.ModelUnits
	}
	if len(others) >= s.quotas.Throughputs {
		return exceeded("provisioned model throughputs", s.quotas.Throughputs, "Delete one with DeleteProvisionedModelThroughput.")
	}
	if units > s.quotas.ModelUnits {
		return exceeded("model units", s.quotas.ModelUnits, "Ask for fewer, or delete a throughput.")
	}
	return nil
}

func throughputNameTaken() error {
	return invalid("The provided provisioned model name is currently in use.")
}
