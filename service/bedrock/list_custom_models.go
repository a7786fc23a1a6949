package bedrock

import (
	"context"

	"outcrop.dev/outcrop"
)

// ListCustomModels returns the models that match, the newest first unless asked otherwise.
// A page may be shorter than maxResults, and even empty, where baseModelArnEquals or
// foundationModelArnEquals leave models out; the list ends where nextToken is absent.
func (s *Service) ListCustomModels(ctx context.Context, in *ListCustomModelsInput) (*ListCustomModelsOutput, error) {
	out := &ListCustomModelsOutput{ModelSummaries: []CustomModelSummary{}}
	if in.IsOwned != nil && !*in.IsOwned {
		return out, nil // models that other accounts share; there are none
	}
	page, next, err := s.list(ctx, listing{
		kind: outcrop.KindCustomModel, status: in.ModelStatus, nameContains: in.NameContains,
		after: in.CreationTimeAfter, before: in.CreationTimeBefore, order: in.SortOrder, max: in.MaxResults, next: in.NextToken,
	})
	if err != nil {
		return nil, err
	}
	out.NextToken = next
	for _, rec := range page {
		m, err := outcrop.CustomModelOf(rec)
		if err != nil {
			return nil, err
		}
		if in.selects(m) {
			out.ModelSummaries = append(out.ModelSummaries, modelSummary(m))
		}
	}
	return out, nil
}

// selects reports whether a model goes back to what a request asks for: baseModelArnEquals is
// what it was made from, foundationModelArnEquals the foundation model behind that.
func (in *ListCustomModelsInput) selects(m *outcrop.CustomModel) bool {
	return (in.BaseModelArnEquals == "" || in.BaseModelArnEquals == baseARN(m)) &&
		(in.FoundationModelArnEquals == "" || in.FoundationModelArnEquals == string(m.BaseModelARN))
}

func modelSummary(m *outcrop.CustomModel) CustomModelSummary {
	p, _ := outcrop.ParseARN(string(m.BaseModelARN))
	return CustomModelSummary{
		ModelArn:          string(m.ARN),
		ModelName:         m.Name,
		ModelStatus:       m.Status,
		BaseModelArn:      baseARN(m),
		BaseModelName:     baseName(p.Resource),
		CustomizationType: m.CustomizationType,
		OwnerAccountId:    m.Account,
		CreationTime:      m.Created,
	}
}
