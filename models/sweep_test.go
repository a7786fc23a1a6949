package models

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/store/memory"
)

// Files stay as long as their model, or the job that is about to make it one; then they go.
func TestSweepRemovesTheFilesOfDeletedModels(t *testing.T) {
	t.Parallel()
	dir, rows := t.TempDir(), memory.New(time.Now)
	meta := func(kind outcrop.Kind, id string, status outcrop.Status) outcrop.Meta {
		sc := outcrop.Scope{Account: "123456789012", Region: "us-east-1"}
		return outcrop.Meta{Kind: kind, Scope: sc, ID: id, ARN: sc.ARN(kind, "a.b/"+id), Name: id, Status: status}
	}
	model := &outcrop.CustomModel{Meta: meta(outcrop.KindCustomModel, "modelmodel01", outcrop.ModelActive)}
	job := &outcrop.Job{Meta: meta(outcrop.KindJob, "jobjobjobj01", outcrop.JobInProgress), CustomModelID: "comingmodel1"}
	failed := &outcrop.Job{Meta: meta(outcrop.KindJob, "jobjobjobj02", outcrop.JobFailed), CustomModelID: "nevermodel01"}
	for _, r := range []outcrop.Record{model.Record(), job.Record(), failed.Record()} {
		if err := rows.Apply(t.Context(), outcrop.Change{Op: outcrop.OpCreate, Record: r}); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{model.ID, job.CustomModelID, failed.CustomModelID, "deletedmodel"} {
		if err := os.MkdirAll(filepath.Join(dir, id, "sub"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s := New(nil, rows, dir)
	sweepLeaves(t, s, "comingmodel1", "modelmodel01")

	rec, err := rows.Get(t.Context(), outcrop.Key{ARN: model.ARN})
	if err != nil {
		t.Fatal(err)
	}
	if err := rows.Apply(t.Context(), outcrop.Change{Op: outcrop.OpDelete, Record: rec}); err != nil {
		t.Fatal(err)
	}
	sweepLeaves(t, s, "comingmodel1")
}

func sweepLeaves(t *testing.T, s *Models, want ...string) {
	t.Helper()
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if !slices.Equal(got, want) {
		t.Errorf("left %q, want %q", got, want)
	}
}
