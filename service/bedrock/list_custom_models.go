package bedrock

import (
	"context"
	"slices"
	"strings"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/service/internal/resource"
)

// ListCustomModels returns the models that match, the newest first unless asked otherwise.
// baseModelArnEquals is what they were made from, foundationModelArnEquals the foundation model
// behind that. A page may be shorter than maxResults, and even empty, where
// foundationModelArnEquals leaves models out; the list ends where nextToken is absent.
func (s *Service) ListCustomModels(ctx context.Context, in *ListCustomModelsInput) (*ListCustomModelsOutput, error) {
	if in.IsOwned != nil && !*in.IsOwned {
		return &ListCustomModelsOutput{ModelSummaries: []CustomModelSummary{}}, nil // other accounts share none
	}
	page, next, err := customModels.List(ctx, s.log, s.store, resource.Listing{
		Status: outcrop.Status(in.ModelStatus), NameContains: in.NameContains,
		After: in.CreationTimeAfter, Before: in.CreationTimeBefore, Order: in.SortOrder, Max: in.MaxResults, Next: in.NextToken, Parent: in.BaseModelArnEquals,
	})
	if err != nil {
		return nil, err
	}
	page = slices.DeleteFunc(page, func(m *outcrop.CustomModel) bool {
		return in.FoundationModelArnEquals != "" && in.FoundationModelArnEquals != string(m.BaseModelARN)
	})
	return &ListCustomModelsOutput{NextToken: next, ModelSummaries: resource.Each(page, modelSummary)}, nil
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

// baseName returns a model id without its suffixes: amazon.titan-text-express-v1 of
// amazon.titan-text-express-v1:0:8k.
func baseName(id string) string {
	name, _, _ := strings.Cut(id, ":")
	return name
}
