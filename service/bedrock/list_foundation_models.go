package bedrock

import (
	"context"

	"outcrop.dev/outcrop/service/internal/resource"
)

// ListFoundationModels returns the catalog: each model under its own id and under each of its
// aliases. The operation has no pages.
func (s *Service) ListFoundationModels(ctx context.Context, in *ListFoundationModelsInput) (*ListFoundationModelsOutput, error) {
	sc, err := resource.Scope(ctx)
	if err != nil {
		return nil, err
	}
	out := &ListFoundationModelsOutput{ModelSummaries: []FoundationModelSummary{}}
	for _, f := range s.catalog.List() {
		for _, id := range append([]string{f.ID}, f.Aliases...) {
			if m := foundationSummary(sc, f, id); in.selects(m) {
				out.ModelSummaries = append(out.ModelSummaries, m)
			}
		}
	}
	return out, nil
}
