package storetest

import (
	"encoding/base64"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"outcrop.dev/outcrop"
)

func testListFilters(t *testing.T, f *fixture) {
	a, b, c := record("a"), record("b"), record("c")
	a.Name, b.Name, c.Name = "Alpha-one", "alpha_two", "b%ta"
	b.Status, b.Parent = outcrop.JobCompleted, "arn:base"
	far, kind := record("d"), record("e")
	far.Region, kind.Kind = "eu-west-1", outcrop.KindCustomModel
	for _, r := range []outcrop.Record{a, b, c, far, kind} {
		f.must(create(r))
		f.clock.Advance(time.Second)
	}
	q := func(edit func(*outcrop.Query)) outcrop.Query {
		q := outcrop.Query{Kind: outcrop.KindJob, Scope: scope}
		edit(&q)
		return q
	}
	for name, tc := range map[string]struct {
		q    outcrop.Query
		want []outcrop.Record
	}{
		"newest first":    {q(func(*outcrop.Query) {}), []outcrop.Record{c, b, a}},
		"oldest first":    {q(func(q *outcrop.Query) { q.Ascending = true }), []outcrop.Record{a, b, c}},
		"all scopes":      {q(func(q *outcrop.Query) { q.AllScopes = true }), []outcrop.Record{far, c, b, a}},
		"status":          {q(func(q *outcrop.Query) { q.Statuses = []outcrop.Status{outcrop.JobCompleted} }), []outcrop.Record{b}},
		"statuses":        {q(func(q *outcrop.Query) { q.Statuses = []outcrop.Status{outcrop.JobCompleted, outcrop.JobInProgress} }), []outcrop.Record{c, b, a}},
		"unknown status":  {q(func(q *outcrop.Query) { q.Statuses = []outcrop.Status{"Nope"} }), nil},
		"parent":          {q(func(q *outcrop.Query) { q.Parent = "arn:base" }), []outcrop.Record{b}},
		"name, any case":  {q(func(q *outcrop.Query) { q.NameContains = "ALPHA" }), []outcrop.Record{b, a}},
		"name, wild card": {q(func(q *outcrop.Query) { q.NameContains = "%" }), []outcrop.Record{c}},
		"name, one char":  {q(func(q *outcrop.Query) { q.NameContains = "_" }), []outcrop.Record{b}},
		"after":           {q(func(q *outcrop.Query) { q.CreatedAfter = start }), []outcrop.Record{c, b}},
		"before":          {q(func(q *outcrop.Query) { q.CreatedBefore = start.Add(2 * time.Second) }), []outcrop.Record{b, a}},
		"between": {q(func(q *outcrop.Query) {
			q.CreatedAfter, q.CreatedBefore = start, start.Add(2*time.Second)
		}), []outcrop.Record{b}},
	} {
		var want []string
		for _, r := range tc.want {
			want = append(want, r.ID)
		}
		if got := f.all(tc.q); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

func testListPages(t *testing.T, f *fixture) {
	const n = outcrop.DefaultPage + 1
	var want []string
	for i := range n {
		r := record(fmt.Sprintf("r%03d", i))
		f.must(create(r))
		f.clock.Advance(time.Millisecond)
		want = append(want, r.ID)
	}
	for _, limit := range []int{1, 7, n - 1, n, n + 1, outcrop.MaxPage} {
		q := outcrop.Query{Kind: outcrop.KindJob, Scope: scope, Ascending: true, Limit: limit}
		if got := f.all(q); !slices.Equal(got, want) {
			t.Errorf("limit %d: %d records, want %d in order", limit, len(got), n)
		}
	}
	slices.Reverse(want)
	if got := f.all(outcrop.Query{Kind: outcrop.KindJob, Scope: scope, Limit: 10}); !slices.Equal(got, want) {
		t.Errorf("newest first: %v", got)
	}
	page, next, err := f.store.List(f.ctx, outcrop.Query{Kind: outcrop.KindJob, Scope: scope})
	if err != nil || len(page) != outcrop.DefaultPage || next == "" {
		t.Errorf("default page: %d records, next %q, %v", len(page), next, err)
	}
	for _, limit := range []int{-1, outcrop.MaxPage + 1} {
		if _, _, err := f.store.List(f.ctx, outcrop.Query{Kind: outcrop.KindJob, Scope: scope, Limit: limit}); outcrop.CodeOf(err) != outcrop.CodeValidation {
			t.Errorf("limit %d: %v", limit, err)
		}
	}
}

func testListSameInstant(t *testing.T, f *fixture) {
	var want []string
	for i := range 10 {
		r := record(fmt.Sprintf("r%d", i))
		f.must(create(r))
		want = append(want, r.ID)
	}
	for limit := 1; limit <= 4; limit++ {
		got := f.all(outcrop.Query{Kind: outcrop.KindJob, Scope: scope, Ascending: true, Limit: limit})
		if !slices.Equal(got, want) {
			t.Errorf("limit %d: %v", limit, got)
		}
	}
}

func testListWhileWriting(t *testing.T, f *fixture) {
	for i := range 6 {
		f.must(create(record(fmt.Sprintf("r%d", i))))
		f.clock.Advance(time.Second)
	}
	q := outcrop.Query{Kind: outcrop.KindJob, Scope: scope, Limit: 3}
	first, next, err := f.store.List(f.ctx, q)
	if err != nil {
		t.Fatal(err)
	}
	f.must(create(record("new")), remove(f.get(first[2]))) // even the record that the token names
	q.Next = next
	got := f.all(q)
	want := []string{record("r2").ID, record("r1").ID, record("r0").ID}
	if !slices.Equal(got, want) {
		t.Errorf("second page %v, want %v", got, want)
	}
}

func testNextIsValidated(t *testing.T, f *fixture) {
	for i := range 3 {
		f.must(create(record(fmt.Sprintf("r%d", i))))
	}
	q := outcrop.Query{Kind: outcrop.KindJob, Scope: scope, Limit: 1, CreatedAfter: start.Add(-time.Hour)}
	_, next, err := f.store.List(f.ctx, q)
	if err != nil || next == "" || len(next) > 2048 || strings.ContainsAny(next, " \t\r\n") {
		t.Fatalf("next %q, %v", next, err)
	}
	if strings.Contains(next, "arn") {
		t.Errorf("the token is not opaque: %s", next)
	}
	raw, _ := base64.RawURLEncoding.DecodeString(next)
	raw[len(raw)-1] ^= 1
	for name, bad := range map[string]string{
		"garbage": "garbage!", "short": next[:8], "longer": next + "A", "damaged": base64.RawURLEncoding.EncodeToString(raw),
		"huge": strings.Repeat("A", 1<<16), "padded": next + "=", "blank": " ",
	} {
		p := q
		p.Next = bad
		if _, _, err := f.store.List(f.ctx, p); outcrop.CodeOf(err) != outcrop.CodeValidation {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, edit := range map[string]func(*outcrop.Query){
		"order":  func(q *outcrop.Query) { q.Ascending = true },
		"filter": func(q *outcrop.Query) { q.NameContains = "r" },
		"kind":   func(q *outcrop.Query) { q.Kind = outcrop.KindThroughput },
		"scope":  func(q *outcrop.Query) { q.Account = "210987654321" },
		"after":  func(q *outcrop.Query) { q.CreatedAfter = time.Time{} },
	} {
		p := q
		p.Next = next
		edit(&p)
		if _, _, err := f.store.List(f.ctx, p); outcrop.CodeOf(err) != outcrop.CodeValidation {
			t.Errorf("another %s: %v", name, err)
		}
	}
	q.Next, q.Limit = next, 2 // the page size may change, and the form of a time
	q.CreatedAfter = q.CreatedAfter.In(time.FixedZone("x", 3600))
	if page, _, err := f.store.List(f.ctx, q); err != nil || len(page) != 2 {
		t.Errorf("another page size: %d records, %v", len(page), err)
	}
}

func testDeletedHistory(t *testing.T, f *fixture) {
	a, b := record("a"), record("b")
	f.must(create(a), create(b))
	f.clock.Advance(time.Hour)
	f.must(remove(f.get(a)))
	q := outcrop.Query{Kind: outcrop.KindJob, Scope: scope}
	gone, next, err := f.store.Deleted(f.ctx, q)
	if err != nil || next != "" || len(gone) != 1 || gone[0].ID != a.ID || gone[0].Created != start || gone[0].Updated != start.Add(time.Hour) {
		t.Errorf("Deleted = %+v, %q, %v", gone, next, err)
	}
	if got := f.all(q); !reflect.DeepEqual(got, []string{b.ID}) {
		t.Errorf("List = %v", got)
	}
	if _, err := f.store.Get(f.ctx, outcrop.Key{Kind: a.Kind, Scope: scope, Ref: a.Name}); outcrop.CodeOf(err) != outcrop.CodeNotFound {
		t.Errorf("a deleted record has a name: %v", err)
	}
}

func testCounts(t *testing.T, f *fixture) {
	a, b, c, d := record("a"), record("b"), record("c"), record("d")
	b.Status, c.Kind, d.Region = outcrop.JobCompleted, outcrop.KindThroughput, "eu-west-1"
	f.must(create(a), create(b), create(c), create(d), create(record("e")))
	f.must(remove(f.get(record("e"))))
	got, err := f.store.Counts(f.ctx)
	want := map[outcrop.Kind]map[outcrop.Status]int{
		outcrop.KindJob:        {outcrop.JobInProgress: 2, outcrop.JobCompleted: 1},
		outcrop.KindThroughput: {outcrop.JobInProgress: 1},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Counts = %v, %v; want %v", got, err, want)
	}
}
