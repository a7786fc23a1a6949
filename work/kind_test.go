package work_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/work"
	"outcrop.dev/outcrop/work/attempt"
)

// errand is a noun of the tests alone. Its work is to leave a file in the scratch directory. What is below is all that a kind of work needs: no other file knows of it.
type errand struct {
	outcrop.Meta `json:"-"`
	outcrop.Work
	Content string
}

func (e *errand) Record() outcrop.Record {
	body, _ := json.Marshal(e)
	return outcrop.Record{Meta: e.Meta, Body: body}
}

const kindErrand outcrop.Kind = "errand"

type errands struct{}

func (errands) Noun() outcrop.Kind { return kindErrand }

func (errands) Of(r outcrop.Record) (*errand, error) {
	e := &errand{}
	err := json.Unmarshal(r.Body, e)
	e.Meta = r.Meta
	return e, err
}

func (errands) Spec(context.Context, *errand) (attempt.Spec, error) {
	return attempt.Spec{Task: json.RawMessage(`{"Leave":"content"}`)}, nil
}

func (errands) Grant(e *errand) attempt.Grant {
	return attempt.Grant{OutputPrefix: "s3://errands/" + e.ID}
}

func (errands) Base(context.Context, *errand) string { return "the base" }

func (errands) Mark(*errand, string, time.Time) {}

func (errands) Publish(_ *errand, scratch string, _ attempt.Result) error {
	_, err := os.Stat(filepath.Join(scratch, "content"))
	return err
}

func (errands) Complete(e *errand, r attempt.Result) []outcrop.Change {
	e.Content = r.Manifest
	return nil
}

func (errands) Withdraw(*errand) error { return nil }

func (errands) Explain(_ *errand, e work.Ending) string { return "The errand failed: " + e.String() }

func (errands) Bill(*errand) (outcrop.Usage, bool) { return outcrop.Usage{}, false }

// TestAnotherKind: a second kind of work by processes shares the places, the scratch directories and
// the attempt API with the first, and is told apart from it.
func TestAnotherKind(t *testing.T) {
	in(t, func(w *world) {
		w.server("this server")
		w.s = work.New(w.store, work.Options{Owner: "this server"}, work.Processes(w.a, rulesOf(w)), work.Processes[*errand](w.a, errands{}))
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- w.s.Run(ctx) }()
		defer func() { cancel(); <-done }()

		j := w.create(newJob("a")) // takes the one place
		e := &errand{Meta: outcrop.Meta{Kind: kindErrand, Scope: scope, ID: "errandaaaaaa", Name: "e", ARN: scope.ARN(kindErrand, "errandaaaaaa"), Status: outcrop.JobInProgress}}
		w.apply(e.Record())
		read := func() *errand {
			rec, err := w.store.Store.Get(ctx, outcrop.Key{ARN: e.ARN})
			if err != nil {
				t.Fatal(err)
			}
			e, err := errands{}.Of(rec)
			if err != nil {
				t.Fatal(err)
			}
			return e
		}
		w.s.Notify()
		synctest.Wait()
		if got := read().Attempt.Number; got != 0 {
			t.Errorf("attempt %d while the job has the place", got)
		}
		w.process(j, 1).finish(attempt.ExitDone, "")
		w.completed(j)
		synctest.Wait()
		id := attempt.ID{Job: e.ARN, Number: 1}
		spec, err := w.a.Spec(ctx, id)
		if err != nil || spec.JobID != e.ID || spec.OutputPrefix != "s3://errands/errandaaaaaa" || string(spec.Task) != `{"Leave":"content"}` || spec.ScratchDir != filepath.Join(w.dir, "scratch", e.ID) {
			t.Fatalf("spec %+v, %v", spec, err)
		}
		if reply, err := w.a.Beat(ctx, id, attempt.Heartbeat{Phase: attempt.PhaseTraining}); err != nil || reply.Base != "the base" || reply.Command != attempt.CommandRun {
			t.Errorf("a heartbeat is answered %+v, %v", reply, err)
		}
		if err := os.WriteFile(filepath.Join(spec.ScratchDir, "content"), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := w.a.Finish(ctx, id, attempt.Result{Attempt: 1, Manifest: "done"}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := read(); got.Status != outcrop.JobCompleted || got.Content != "done" || got.EndTime.IsZero() {
			t.Errorf("errand %+v", got)
		}
	})
}

// TestOrphans: a process that no record names is ended within a minute, and no other is.
func TestOrphans(t *testing.T) {
	in(t, func(w *world) {
		w.serve()
		j := w.create(newJob("a"))
		w.launcher.mu.Lock()
		w.launcher.processes["stray/1"] = &fakeProcess{alive: true}
		w.launcher.mu.Unlock()
		time.Sleep(work.OrphansEvery - time.Second)
		if !w.launcher.alive("stray/1") {
			t.Error("a process was ended at first sight: its handle might just be on the way")
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if w.launcher.alive("stray/1") {
			t.Error("the orphan lives")
		}
		w.process(j, 1)
	})
}

// TestHandleThatWasNotWritten: a server that dies between a process's start and the writing of its
// handle leaves one process, which the next server finds by asking for the same attempt.
func TestHandleThatWasNotWritten(t *testing.T) {
	in(t, func(w *world) {
		dead := false
		w.store.set(func(s *faultyStore) {
			s.fault = func(string) error {
				if dead = dead || w.launcher.count() == 1; dead {
					return errDead
				}
				return nil
			}
		})
		w.serve()
		j := w.create(newJob("a"))
		if got := w.job(j).Attempt; got.Number != 1 || got.Handle != "" {
			t.Fatalf("attempt %+v", got)
		}
		w.end()
		w.store.set(func(s *faultyStore) { s.fault = nil })
		w.serve()
		w.process(j, 1).finish(attempt.ExitDone, "")
		w.completed(j)
		if n := len(w.launcher.processes); n != 1 {
			t.Errorf("%d processes", n)
		}
	})
}
