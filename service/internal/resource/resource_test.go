package resource

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/store/memory"
)

var (
	home   = outcrop.Scope{Account: "123456789012", Region: "us-east-1"}
	things = Noun[*outcrop.Throughput]{
		Kind: outcrop.KindThroughput, Of: outcrop.ThroughputOf, Request: func(t *outcrop.Throughput) string { return t.Request },
	}
)

func thing(name, parent string) *outcrop.Throughput {
	return &outcrop.Throughput{Meta: outcrop.Meta{
		Kind: things.Kind, Scope: home, ID: "id-" + name, ARN: home.ARN(things.Kind, "id-"+name), Name: name, Parent: parent, Status: outcrop.ThroughputInService,
	}}
}

func caller(t testing.TB) context.Context {
	return outcrop.WithCaller(t.Context(), outcrop.Caller{Account: home.Account, Region: home.Region})
}

func newStore(t testing.TB, things ...*outcrop.Throughput) *memory.Store {
	s := memory.New(time.Now)
	for _, thing := range things {
		if err := s.Apply(t.Context(), outcrop.Change{Op: outcrop.OpCreate, Record: thing.Record()}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// refusals checks that err has the code, "" for none, and the text.
func refusals(t testing.TB, what string, err error, code outcrop.Code, text string) {
	t.Helper()
	if outcrop.CodeOf(err) != code || err != nil && !strings.Contains(err.Error(), text) {
		t.Errorf("%s: %v, want %s %q", what, err, code, text)
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	parent, child := thing("parent", ""), thing("child", string(thing("parent", "").ARN))
	s, ctx := newStore(t, parent, child), caller(t)
	gone := thing("gone", "").ARN
	type rule = Rule[*outcrop.Throughput]
	not := errors.New("not so")
	for name, c := range map[string]struct {
		err  error
		code outcrop.Code
		text string
	}{
		"a free name":        {err: CheckFree(ctx, s, outcrop.Key{Kind: things.Kind, Scope: home, Ref: "free"}, not)},
		"a taken name":       {CheckFree(ctx, s, outcrop.Key{Kind: things.Kind, Scope: home, Ref: "child"}, not), outcrop.CodeInternal, "not so"},
		"an id":              {CheckFree(ctx, s, outcrop.Key{Kind: things.Kind, Scope: home, Ref: "id-child"}, not), outcrop.CodeInternal, "not so"},
		"the last place":     {err: CheckQuota(3, 3, "places", "Wait.")},
		"no place":           {CheckQuota(4, 3, "places", "Wait."), outcrop.CodeQuotaExceeded, "has reached its quota of 3 places. Wait."},
		"there":              {err: CheckThere(ctx, s, parent.ARN)},
		"gone":               {CheckThere(ctx, s, gone), outcrop.CodeNotFound, string(gone) + " does not exist"},
		"a foundation model": {err: CheckThere(ctx, s, home.ARN(outcrop.KindFoundationModel, "acme.x"))},
		"no ARN":             {CheckThere(ctx, s, ""), outcrop.CodeNotFound, "does not exist"},
		"no children":        {err: CheckUnused(ctx, s, child, nil)},
		"a child": {CheckUnused(ctx, s, parent, nil), outcrop.CodeConflict,
			"The provisioned model throughput parent is in use by the provisioned model throughput child. Delete that one first."},
		"a child that does not count": {err: CheckUnused(ctx, s, parent, map[outcrop.Kind]rule{
			things.Kind: func(context.Context, outcrop.Reader, *outcrop.Throughput) error { return nil }})},
	} {
		refusals(t, name, c.err, c.code, c.text)
	}
}

// TestAdmitKnowsAnEqualRequest: what an equal request has created since the token was looked up is
// no reason to refuse.
func TestAdmitKnowsAnEqualRequest(t *testing.T) {
	t.Parallel()
	first := thing("first", "")
	q, err := RequestOf("what is asked", "token", outcrop.CodeConflict)
	if err != nil {
		t.Fatal(err)
	}
	first.Token, first.Request = q.Token, q.Fingerprint
	s, ctx := newStore(t, first), caller(t)
	refuse := func(context.Context, outcrop.Reader, *outcrop.Throughput) error {
		return errInvalid("The name is in use.")
	}
	other, _ := RequestOf("something else", "token", outcrop.CodeConflict)
	for name, c := range map[string]struct {
		request Request
		want    outcrop.ARN
		code    outcrop.Code
	}{
		"the same":      {q, first.ARN, ""},
		"another":       {other, "", outcrop.CodeConflict},
		"without token": {Request{Fingerprint: q.Fingerprint}, "", outcrop.CodeValidation},
	} {
		arn, err := things.Admit(ctx, s, thing("second", ""), c.request, refuse)
		if outcrop.CodeOf(err) != c.code || err == nil && arn != c.want {
			t.Errorf("Admit, %s: %s, %v", name, arn, err)
		}
		arn, err = things.Create(ctx, s, thing("second", ""), c.request, refuse)
		if outcrop.CodeOf(err) != c.code || err == nil && arn != c.want {
			t.Errorf("Create, %s: %s, %v", name, arn, err)
		}
	}
	if arn, err := things.Create(ctx, s, thing("second", ""), Request{}); err != nil || arn != thing("second", "").ARN {
		t.Errorf("a request without a token: %s, %v", arn, err)
	}
}

// TestStrangers: whoever is not known finds, lists, creates, changes and tags nothing.
func TestStrangers(t *testing.T) {
	t.Parallel()
	a := thing("a", "")
	a.Tags = map[string]string{"k": "v"}
	s, nobody, arn := newStore(t, a), t.Context(), string(a.ARN)
	_, get := things.Get(nobody, s, "a")
	_, _, list := things.List(nobody, slog.New(slog.DiscardHandler), s, Listing{})
	_, create := things.Create(nobody, s, thing("b", ""), Request{Token: "t"})
	_, tags := Tags(nobody, s, arn)
	for name, err := range map[string]error{
		"get": get, "list": list, "create": create, "tags": tags,
		"edit":   things.Edit(nobody, s, "a", func(*outcrop.Throughput) error { return nil }),
		"delete": things.Delete(nobody, s, "a"),
		"tag":    AddTags(nobody, s, arn, map[string]string{"x": "y"}),
		"untag":  RemoveTags(nobody, s, arn, []string{"k"}),
	} {
		refusals(t, name, err, outcrop.CodeAccessDenied, "not authenticated")
	}
	if got, err := things.All(nobody, s, home); err != nil || len(got) != 1 || got[0].Version != 1 || got[0].Tags["k"] != "v" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestTaggableKinds(t *testing.T) {
	t.Parallel()
	_, err := Tags(caller(t), newStore(t), "arn:aws:bedrock:us-east-1::foundation-model/acme.x")
	refusals(t, "a foundation model", err, outcrop.CodeValidation,
		"cannot have tags: give the ARN of a model customization job, a custom model")
}

func ExampleNoun_Create() {
	ctx := outcrop.WithCaller(context.Background(), outcrop.Caller{Account: home.Account, Region: home.Region})
	store := memory.New(time.Now)
	onlyOne := func(ctx context.Context, r outcrop.Reader, t *outcrop.Throughput) error {
		others, err := things.All(ctx, r, t.Scope)
		if err != nil {
			return err
		}
		return CheckQuota(len(others)+1, 1, things.Kind.Nouns(), "Delete one.")
	}
	for _, name := range []string{"first", "second"} {
		arn, err := things.Create(ctx, store, thing(name, ""), Request{}, onlyOne)
		fmt.Println(arn, err)
	}
	// Output:
	// arn:aws:bedrock:us-east-1:123456789012:provisioned-model/id-first <nil>
	//  ServiceQuotaExceededException: The account has reached its quota of 1 provisioned model throughputs. Delete one.
}
