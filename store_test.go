package outcrop_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"outcrop.dev/outcrop"
)

// twoPages lists a and b, then c; with failing set the second page is an error.
func twoPages(failing error) func(context.Context, outcrop.Query) ([]outcrop.Record, string, error) {
	return func(_ context.Context, q outcrop.Query) ([]outcrop.Record, string, error) {
		switch {
		case q.Kind != outcrop.KindJob || q.Limit != outcrop.MaxPage:
			return nil, "", errors.New("another query")
		case q.Next == "":
			return []outcrop.Record{{Meta: outcrop.Meta{ID: "a"}}, {Meta: outcrop.Meta{ID: "b"}}}, "second", nil
		case failing != nil:
			return nil, "", failing
		}
		return []outcrop.Record{{Meta: outcrop.Meta{ID: "c"}}}, "", nil
	}
}

func TestAll(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	for name, c := range map[string]struct {
		failing error
		stop    string // the record after which the caller has enough
		want    []string
	}{
		"every page":              {nil, "", []string{"a", "b", "c"}},
		"the caller leaves":       {nil, "a", []string{"a"}},
		"the second page is down": {down, "", []string{"a", "b"}},
	} {
		var got []string
		var last error
		for rec, err := range outcrop.All(t.Context(), twoPages(c.failing), outcrop.Query{Kind: outcrop.KindJob}) {
			if last = err; err != nil {
				continue // there is nothing after an error
			}
			got = append(got, rec.ID)
			if rec.ID == c.stop {
				break
			}
		}
		if !slices.Equal(got, c.want) || !errors.Is(last, c.failing) {
			t.Errorf("%s: %v, %v", name, got, last)
		}
	}
}
