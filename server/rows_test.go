package server_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/server"
	"outcrop.dev/outcrop/store"
)

// TestModelUsers: what needs a base model is found in every region, and nothing else.
func TestModelUsers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	users := func(ids ...string) []string {
		t.Helper()
		found, err := server.ModelUsers(t.Context(), dir, ids, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(found)
		return found
	}
	if got := users("acme.x"); got != nil {
		t.Errorf("without a database: %q", got)
	}
	rows, err := store.Open(t.Context(), filepath.Join(dir, "outcrop.db"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	put := func(region string, kind outcrop.Kind, name string, status outcrop.Status, record func(outcrop.Meta, outcrop.ARN) outcrop.Record) {
		sc := outcrop.Scope{Account: "123456789012", Region: region}
		meta := outcrop.Meta{Kind: kind, Scope: sc, ID: (name + "aaaaaaaaaaaa")[:12], ARN: sc.ARN(kind, name), Name: name, Status: status}
		if err := rows.Apply(t.Context(), outcrop.Change{Op: outcrop.OpCreate, Record: record(meta, sc.ARN(outcrop.KindFoundationModel, "acme.x"))}); err != nil {
			t.Fatal(err)
		}
	}
	spelt := func(m outcrop.Meta, _ outcrop.ARN) outcrop.Record {
		return (&outcrop.CustomModel{Meta: m, BaseModelARN: m.Scope.ARN(outcrop.KindFoundationModel, "acme.y:0:8k"), BaseModelID: "acme.y:0:8k"}).Record()
	}
	put("eu-west-3", outcrop.KindCustomModel, "spelt", outcrop.ModelActive, spelt)
	for id, want := range map[string]int{"acme.y": 1, "acme.y:0": 1, "acme.y:0:8k": 1, "acme.y:1": 0, "acme": 0} {
		if got := users(id); len(got) != want {
			t.Errorf("%s is needed by %q", id, got)
		}
	}
	job := func(m outcrop.Meta, base outcrop.ARN) outcrop.Record {
		return (&outcrop.Job{Meta: m, BaseModelARN: base}).Record()
	}
	put("us-east-1", outcrop.KindJob, "running", outcrop.JobInProgress, job)
	put("eu-west-3", outcrop.KindJob, "ended", outcrop.JobCompleted, job)
	put("eu-west-3", outcrop.KindCustomModel, "tuned", outcrop.ModelActive, func(m outcrop.Meta, base outcrop.ARN) outcrop.Record {
		return (&outcrop.CustomModel{Meta: m, BaseModelARN: base}).Record()
	})
	put("eu-west-3", outcrop.KindThroughput, "serving", outcrop.ThroughputInService, func(m outcrop.Meta, base outcrop.ARN) outcrop.Record {
		return (&outcrop.Throughput{Meta: m, ModelARN: base}).Record()
	})
	if got, want := users("acme.x"), []string{"the custom model tuned", "the job running", "the throughput serving"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := users("acme.z"); got != nil {
		t.Errorf("another model: %q", got)
	}
}

func TestCustomModel(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, _, err := server.CustomModel(t.Context(), dir, "tiny", time.Now); outcrop.CodeOf(err) != outcrop.CodeNotFound {
		t.Errorf("without a database: %v", err)
	}
	arn := tuned(t, dir)
	for _, ref := range []string{string(arn), "tiny", "tinytinytiny"} {
		m, files, err := server.CustomModel(t.Context(), dir, ref, time.Now)
		if err != nil || m.ARN != arn || files != filepath.Join(dir, "models", "tinytinytiny") {
			t.Errorf("%s: %+v, %s, %v", ref, m, files, err)
		}
	}
	if _, _, err := server.CustomModel(t.Context(), dir, "other", time.Now); outcrop.CodeOf(err) != outcrop.CodeNotFound || !strings.Contains(err.Error(), "other") {
		t.Errorf("error %v", err)
	}
	rows, err := store.Open(t.Context(), filepath.Join(dir, "outcrop.db"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	scope := outcrop.Scope{Account: server.DefaultAccount, Region: "us-east-1"}
	twin := &outcrop.CustomModel{Meta: outcrop.Meta{Kind: outcrop.KindCustomModel, Scope: scope, ID: "twintwintwin", Name: "tiny", ARN: scope.ARN(outcrop.KindCustomModel, "a.b/twintwintwin")}}
	if err := rows.Apply(t.Context(), outcrop.Change{Op: outcrop.OpCreate, Record: twin.Record()}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := server.CustomModel(t.Context(), dir, "tiny", time.Now); outcrop.CodeOf(err) != outcrop.CodeValidation {
		t.Errorf("a name of two: %v", err)
	}
}
