package models

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/store/memory"
	"outcrop.dev/outcrop/internal/lost"
)

// Files stay as long as their model, or the job that is about to make it one; then they go. What
// nobody ever owned is kept apart.
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
	sweepLeaves(t, s, "comingmodel1", "lost+found", "modelmodel01")
	kept := []string{"deletedmodel", "nevermodel01"}
	checkLost(t, s, kept)

	rec, err := rows.Get(t.Context(), outcrop.Key{ARN: model.ARN})
	if err != nil {
		t.Fatal(err)
	}
	if err := rows.Apply(t.Context(), outcrop.Change{Op: outcrop.OpDelete, Record: rec}); err != nil {
		t.Fatal(err)
	}
	sweepLeaves(t, s, "comingmodel1", "lost+found")
	checkLost(t, s, kept) // and not what was deleted
}

func checkLost(t *testing.T, s *Models, want []string) {
	t.Helper()
	items, err := lost.List(found(s).Dir)
	var names []string
	for _, item := range items {
		_, name, _ := strings.Cut(filepath.Base(item.Path), "-")
		names = append(names, name)
	}
	if err != nil || !slices.Equal(names, want) {
		t.Errorf("lost+found has %v, %v, want %v", names, err, want)
	}
}

func found(s *Models) lost.Folder {
	return lost.Folder{Dir: s.Dir(lost.Name), Now: time.Now, Log: slog.New(slog.DiscardHandler)}
}

func sweepLeaves(t *testing.T, s *Models, want ...string) {
	t.Helper()
	if err := s.Sweep(t.Context(), found(s)); err != nil {
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
