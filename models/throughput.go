package models

import (
	"cmp"
	"context"
	"fmt"

	"outcrop.dev/outcrop"
)

// throughput is the noun of capacity that is reserved for a model.
func (m *Models) throughput() noun {
	return noun{
		kind: outcrop.KindThroughput, name: "throughput", target: m.reserved,
		needs: func(rec outcrop.Record) ([]string, error) {
			t, err := outcrop.ThroughputOf(rec)
			if err != nil {
				return nil, err
			}
			return []string{string(t.ModelARN), string(t.DesiredModelARN)}, nil
		},
	}
}

// reserved returns the model that a throughput serves now, ready or not.
func (m *Models) reserved(ctx context.Context, sc outcrop.Scope, identifier string) (outcrop.Target, error) {
	rec, err := m.invoked(ctx, outcrop.KindThroughput, "provisioned throughput", sc, identifier)
	if err != nil {
		return outcrop.Target{}, err
	}
	th, err := outcrop.ThroughputOf(rec)
	if err != nil {
		return outcrop.Target{}, err
	}
	base := cmp.Or(th.FoundationModelARN, th.ModelARN)
	f, ok := m.catalog.Lookup(string(base))
	files, err := m.Files(ctx, string(th.ModelARN))
	switch {
	case files.Dir == "" && outcrop.CodeOf(err) == outcrop.CodeNotFound && base != th.ModelARN:
		return outcrop.Target{}, outcrop.Errorf(outcrop.CodeModelError,
			"The custom model %s of provisioned throughput %s has been deleted. Delete the throughput too.", th.ModelARN, th.Name)
	case !ok:
		return outcrop.Target{}, outcrop.Errorf(outcrop.CodeModelError,
			"The base model %s of provisioned throughput %s is no longer in this server's catalog. Add it again, or delete the throughput.", base, th.Name)
	case err != nil:
		return outcrop.Target{}, fmt.Errorf("find the model of %s: %w", th.ARN, err)
	}
	return outcrop.Target{
		Scope: sc, Resource: th.ARN, Units: th.ModelUnits, Files: files, Dialect: f.Dialect,
		Reserved: outcrop.Key{Kind: outcrop.KindThroughput, Scope: sc, Ref: th.ID}, CheckServes: checkThroughputServes,
	}, nil
}

// checkThroughputServes returns why a throughput takes no requests, nil if it does.
func checkThroughputServes(rec outcrop.Record) error {
	switch rec.Status {
	case outcrop.ThroughputInService, outcrop.ThroughputUpdating:
		return nil
	case outcrop.ThroughputCreating:
		return outcrop.Errorf(outcrop.CodeModelNotReady, "Provisioned throughput %s is still %s.", rec.Name, rec.Status)
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
