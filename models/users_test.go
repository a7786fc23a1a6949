package models_test

import (
	"slices"
	"testing"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/store/memory"
	"outcrop.dev/outcrop/models"
	"outcrop.dev/outcrop/models/catalog"
)

// TestUsers: what needs a base model is found in every region, and nothing else.
func TestUsers(t *testing.T) {
	t.Parallel()
	rows := memory.New(time.Now)
	m := models.New(noCatalog{}, rows, "/models")
	users := func(ids ...string) []string {
		t.Helper()
		found, err := m.Users(t.Context(), catalog.Spellings, ids...)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(found)
		return found
	}
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

// noCatalog has no models: its directories are damaged.
type noCatalog struct{}

func (noCatalog) Lookup(string) (outcrop.FoundationModel, bool) {
	return outcrop.FoundationModel{}, false
}
