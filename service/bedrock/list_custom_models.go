package bedrock

import (
	"context"
	"slices"

	"outcrop.dev/outcrop"
)

// ListCustomModels returns the models that match, the newest first unless asked otherwise.
// baseModelArnEquals is what they were made from, foundationModelArnEquals the foundation model
// behind that. A page may be shorter than maxResults, and even empty, where
// foundationModelArnEquals leaves models out; the list ends where nextToken is absent.
func (s *Service) ListCustomModels(ctx context.Context, in *ListCustomModelsInput) (*ListCustomModelsOutput, error) {
	if in.IsOwned != nil && !*in.IsOwned {
		return &ListCustomModelsOutput{ModelSummaries: []CustomModelSummary{}}, nil // other accounts share none
	}
	page, next, err := list(ctx, s, listing{
		kind: outcrop.KindCustomModel, status: in.ModelStatus, nameContains: in.NameContains,
		after: in.CreationTimeAfter, before: in.CreationTimeBefore, order: in.SortOrder, max: in.MaxResults, next: in.NextToken, parent: in.BaseModelArnEquals,
	}, outcrop.CustomModelOf)
	if err != nil {
		return nil, err
	}
	page = slices.DeleteFunc(page, func(m *outcrop.CustomModel) bool {
		return in.FoundationModelArnEquals != "" && in.FoundationModelArnEquals != string(m.BaseModelARN)
	})
	return &ListCustomModelsOutput{NextToken: next, ModelSummaries: each(page, modelSummary)}, nil
}

func modelSummary(m *outcrop.CustomModel) CustomModelSummary {
	p, _ := outcrop.ParseARN(string(m.BaseModelARN))
	return CustomModelSummary{
		ModelArn:          string(m.ARN),
		ModelName:         m.Name,
		ModelStatus:       string(m.Status),
		BaseModelArn:      m.Parent,
		BaseModelName:     baseName(p.Resource),
		CustomizationType: m.CustomizationType,
		OwnerAccountId:    m.Account,
		CreationTime:      m.Created,
	}
}
