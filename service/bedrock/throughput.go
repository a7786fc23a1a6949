package bedrock

import (
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
