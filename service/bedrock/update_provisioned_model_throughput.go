package bedrock

import (
	"context"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/service/internal/resource"
)

// UpdateProvisionedModelThroughput renames throughput, or has it serve another model. A new
// name holds at once; a new model leaves the row in Updating, while the old model is still
// served, until whoever loads models has it ready. Throughput that has Failed can be put right so:
// with the model that it had, or another.
func (s *Service) UpdateProvisionedModelThroughput(ctx context.Context, in *UpdateProvisionedModelThroughputInput) (*UpdateProvisionedModelThroughputOutput, error) {
	if in.DesiredModelId == "" && in.DesiredProvisionedModelName == "" {
		return nil, errInvalid("There is nothing to update: give desiredModelId, desiredProvisionedModelName, or both.")
	}
	var rules []resource.Rule[*outcrop.Throughput]
	if in.DesiredModelId != "" {
		rules = append(rules, checkServable)
	}
	err := throughputs.Edit(ctx, s.store, in.ProvisionedModelId,
		func(t *outcrop.Throughput) error { return s.updateThroughput(ctx, t, in) }, rules...)
	if outcrop.CodeOf(err) == outcrop.CodeConflict {
		err = errThroughputName() // the only conflict that Edit leaves
	}
	return &UpdateProvisionedModelThroughputOutput{}, err
}

// updateThroughput applies a request to throughput. The operation's model lists no
// ConflictException, so that the wrong state is a ValidationException too.
func (s *Service) updateThroughput(ctx context.Context, t *outcrop.Throughput, in *UpdateProvisionedModelThroughputInput) error {
	repair := t.Status == outcrop.ThroughputFailed && in.DesiredModelId != ""
	if t.Status != outcrop.ThroughputInService && !repair {
		return errInvalid("The provisioned model throughput %s is %s; only one that is InService can be updated, or one that has Failed, with a desiredModelId.", t.Name, t.Status)
	}
	if in.DesiredProvisionedModelName != "" {
		t.Name = in.DesiredProvisionedModelName
	}
	if in.DesiredModelId == "" {
		return nil
	}
	m, err := s.models.Find(ctx, t.Scope, in.DesiredModelId)
	if err != nil {
		return err
	}
	if t.ModelARN == t.FoundationModelARN && m.ARN() != t.ModelARN {
		return errInvalid("The provisioned model throughput %s was made for a foundation model, and cannot serve another.", t.Name)
	}
	if m.FoundationARN() != t.FoundationModelARN {
		return errInvalid("The provisioned model throughput %s can serve %s and custom models made from it; %s goes back to %s.",
			t.Name, t.FoundationModelARN, in.DesiredModelId, m.FoundationARN())
	}
	if m.ARN() != t.ModelARN || repair {
		t.DesiredModelARN, t.Status, t.FailureMessage = m.ARN(), outcrop.ThroughputUpdating, ""
	}
	return nil
}
