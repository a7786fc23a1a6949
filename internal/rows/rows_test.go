package rows_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/internal/rows"
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
		for rec, err := range rows.All(t.Context(), twoPages(c.failing), outcrop.Query{Kind: outcrop.KindJob}) {
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

// contended is a store with one record, whose first writes come too late.
type contended struct {
	outcrop.Store
	version int64
	late    int
	gone    bool
	written []outcrop.Change
}

func (c *contended) Get(context.Context, outcrop.Key) (outcrop.Record, error) {
	if c.gone {
		return outcrop.Record{}, outcrop.Errorf(outcrop.CodeNotFound, "gone")
	}
	c.version++
	return outcrop.Record{Meta: outcrop.Meta{ID: "a", Version: c.version}}, nil
}

func (c *contended) Apply(_ context.Context, changes ...outcrop.Change) error {
	if c.late > 0 {
		c.late--
		return outcrop.ErrStale
	}
	c.written = changes
	return nil
}

func TestEdit(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	for name, c := range map[string]struct {
		store   contended
		nothing bool
		fails   error
		code    outcrop.Code
		wrote   int64 // the version that was written; 0: none
	}{
		"at once":            {store: contended{}, wrote: 1},
		"the third time":     {store: contended{late: 2}, wrote: 3},
		"the last time":      {store: contended{late: 19}, wrote: 20},
		"always too late":    {store: contended{late: 20}, code: outcrop.CodeThrottling},
		"nothing to write":   {store: contended{}, nothing: true},
		"there is none":      {store: contended{gone: true}, code: outcrop.CodeNotFound},
		"the caller refuses": {store: contended{}, fails: refused, code: outcrop.CodeInternal},
	} {
		err := rows.Edit(t.Context(), &c.store, outcrop.Key{}, func(r outcrop.Record) ([]outcrop.Change, error) {
			if c.nothing || c.fails != nil {
				return nil, c.fails
			}
			return []outcrop.Change{{Op: outcrop.OpUpdate, Record: r}}, nil
		})
		var wrote int64
		for _, change := range c.store.written {
			wrote = change.Record.Version
		}
		if outcrop.CodeOf(err) != c.code || wrote != c.wrote {
			t.Errorf("%s: %v, wrote version %d", name, err, wrote)
		}
	}
}
