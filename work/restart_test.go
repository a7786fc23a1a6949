package work_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/work"
	"outcrop.dev/outcrop/work/attempt"
)

// A worker goes on while its server restarts, and is adopted, whether the lease has run
// out meanwhile or not.
func TestLivingWorkerIsAdopted(t *testing.T) {
	for _, away := range []time.Duration{0, time.Second, time.Hour} {
		t.Run(away.String(), func(t *testing.T) {
			in(t, func(w *world) {
				w.serve()
				j := w.create(newJob("a"))
				w.process(j, 1).step(10)
				w.restart(away)
				p := w.process(j, 1)
				p.step(11)
				if got := w.job(j); got.Progress.Step != 11 || w.a.Running() != 1 || w.launcher.count() != 1 {
					t.Errorf("progress %+v, %d running, %d starts", got.Progress, w.a.Running(), w.launcher.count())
				}
				p.finish(attempt.ExitDone, "")
				w.completed(j)
			})
		})
	}
}

func TestWhatHappenedWhileTheServerWasAway(t *testing.T) {
	for name, tc := range map[string]struct {
		happens func(w *world, p process)
		after   func(w *world, j *outcrop.Job)
	}{
		"worker died": {
			func(w *world, p process) { w.launcher.vanish(w.job(p.j).Attempt.Handle) },
			func(w *world, j *outcrop.Job) { w.process(j, 2) },
		},
		"worker finished and could not say so": {
			func(w *world, p process) { w.launcher.vanish(w.job(p.j).Attempt.Handle) },
			func(w *world, j *outcrop.Job) { w.process(j, 2).finish(attempt.ExitDone, ""); w.completed(j) },
		},
		"job was stopped": {
			func(w *world, p process) { w.stop(p.j); w.launcher.vanish(w.job(p.j).Attempt.Handle) },
			func(w *world, j *outcrop.Job) { w.stoppedCleanly(j) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(w *world) {
				w.serve()
				j := w.create(newJob("a"))
				p := w.process(j, 1)
				if err := os.MkdirAll(w.scratch(j), 0o700); err != nil {
					t.Fatal(err)
				}
				w.end()
				tc.happens(w, p)
				w.serve()
				time.Sleep(work.ExitGrace + work.HeartbeatUsual)
				synctest.Wait()
				tc.after(w, j)
			})
		})
	}
}

// Another server's jobs are not touched at the start, and old scratch directories go.
func TestSweep(t *testing.T) {
	in(t, func(w *world) {
		old, failed := filepath.Join(w.dir, "scratch", "gone"), filepath.Join(w.dir, "scratch", "failed")
		active := w.create(newJob("a"))
		for _, dir := range []string{old, failed, w.scratch(active)} {
			if err := os.MkdirAll(filepath.Join(dir, attempt.CheckpointsDir), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		log := filepath.Join(failed, attempt.LogFile)
		if err := os.WriteFile(log, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		touch := func(at time.Time) {
			if err := os.Chtimes(log, at, at); err != nil {
				t.Fatal(err)
			}
		}
		touch(time.Now())
		exists := func(path string) bool { _, err := os.Stat(path); return err == nil }
		w.serve()
		if exists(old) || !exists(log) || exists(filepath.Join(failed, attempt.CheckpointsDir)) || !exists(filepath.Join(w.scratch(active), attempt.CheckpointsDir)) {
			t.Error("the wrong things were swept")
		}
		touch(time.Now().Add(-work.LogsKept))
		w.restart(0)
		if !exists(log) {
			t.Error("a log was removed too early")
		}
		touch(time.Now().Add(-work.LogsKept - time.Second))
		w.restart(0)
		if exists(failed) {
			t.Error("an old log was kept")
		}
	})
}

func TestDamagedModelIsMadeAgain(t *testing.T) {
	for _, damaged := range []string{attempt.ModelDir, attempt.EpochDir(1)} {
		t.Run(damaged, func(t *testing.T) { testDamaged(t, damaged) })
	}
}

func testDamaged(t *testing.T, damaged string) {
	in(t, func(w *world) {
		w.serve()
		j := w.create(newJob("a"))
		p := w.process(j, 1)
		p.exit(0, "") // it has ended before its result is looked at
		w.launcher.processes[w.job(j).Attempt.Handle].alive = true
		res := attempt.Result{Attempt: 1}
		w.models(j, &res)
		if err := os.WriteFile(filepath.Join(w.scratch(j), damaged, "model.safetensors"), []byte("wEights"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := w.a.Finish(context.Background(), p.id, res); err != nil {
			t.Fatal(err)
		}
		time.Sleep(work.ExitGrace + work.HeartbeatUsual)
		synctest.Wait()
		if got := w.is(j, outcrop.JobInProgress); got.Attempt.Failures != 1 {
			t.Errorf("attempt %+v", got.Attempt)
		}
		if left, _ := os.ReadDir(filepath.Join(w.dir, "models")); len(left) > 0 {
			t.Errorf("%v are left of models that were discarded", left)
		}
		w.process(j, 2).finish(attempt.ExitDone, "")
		w.completed(j)
	})
}

func TestModelNameTakenMeanwhile(t *testing.T) {
	in(t, func(w *world) {
		w.serve()
		j := w.create(newJob("a"))
		other := &outcrop.CustomModel{Meta: outcrop.Meta{
			Kind: outcrop.KindCustomModel, Scope: scope, ID: "zzzzzzzzzzzz", ARN: scope.ARN(outcrop.KindCustomModel, "b/zzzzzzzzzzzz"), Name: j.CustomModelName,
		}}
		if err := w.store.Apply(context.Background(), outcrop.Change{Op: outcrop.OpCreate, Record: other.Record()}); err != nil {
			t.Fatal(err)
		}
		w.process(j, 1).finish(attempt.ExitDone, "")
		got := w.is(j, outcrop.JobFailed)
		if !strings.Contains(got.FailureMessage, j.CustomModelName) || !strings.Contains(got.FailureMessage, "customModelName") {
			t.Errorf("message %q", got.FailureMessage)
		}
		if _, err := os.Stat(filepath.Join(w.dir, "models", j.CustomModelID)); err == nil {
			t.Error("the model's directory is still there")
		}
	})
}

func TestTroubleWithTheStoreIsWaitedOut(t *testing.T) {
	in(t, func(w *world) {
		w.serve()
		j := w.create(newJob("a"))
		calls := 0
		w.store.set(func(s *faultyStore) {
			s.fault = func(string) error {
				if calls++; calls/7%2 == 0 { // seven calls fail, seven do not
					return errors.New("database is locked")
				}
				return nil
			}
		})
		p := process{w: w, j: j, id: attempt.ID{Job: j.ARN, Number: 1}}
		for p.result(attempt.ExitDone, "") != nil { // the worker, too, tries again
			time.Sleep(time.Second)
		}
		time.Sleep(time.Minute)
		w.store.set(func(s *faultyStore) { s.fault = nil })
		w.completed(j)
	})
}

// The server dies at every call of the store there is in a job's life, before the call and
// after it; the next server brings the job to the same end.
func TestServerDiesAtEveryPoint(t *testing.T) {
	t.Parallel()
	for _, before := range []bool{true, false} {
		for n, more := 1, true; more; n++ {
			bubble(t, func(w *world) { more = w.dieAt(n, before) })
			if n > 1000 {
				t.Fatal("it never ends")
			}
		}
	}
}

var errDead = errors.New("this server is dead")

// dieAt runs a job, ending the server at the store's nth call, and checks what the next
// one makes of it. It reports whether there was an nth call.
func (w *world) dieAt(n int, before bool) (died bool) {
	calls := 0
	fault := func(string) error {
		if calls++; calls >= n {
			died = true
			return errDead
		}
		return nil
	}
	j := newJob("a")
	if err := w.store.Store.Apply(context.Background(), outcrop.Change{Op: outcrop.OpCreate, Record: j.Record()}); err != nil {
		w.t.Fatal(err)
	}
	w.store.set(func(s *faultyStore) {
		if before {
			s.fault = fault
		} else {
			s.after = fault
		}
	})
	w.serve()
	w.work(j, 5)
	w.end() // a server whose every call fails changes nothing more: it might as well be gone
	w.store.set(func(s *faultyStore) { s.fault, s.after = nil, nil })
	w.serve()
	w.work(j, 100)
	w.completed(j)
	w.billedOnce(j)
	if w.launcher.count() > 2 {
		w.t.Errorf("death at call %d (before: %v): %d attempts", n, before, w.launcher.count())
	}
	return died
}

// billedOnce checks that a job was billed; once more is the same, for a meter.
func (w *world) billedOnce(j *outcrop.Job) {
	w.t.Helper()
	at := w.job(j).EndTime
	wrong := func(u outcrop.Usage) bool {
		return !u.Once || !u.At.Equal(at) || u.Resource != j.ARN || u.TrainingTokens != 1000
	}
	if len(w.usage) == 0 || slices.ContainsFunc(w.usage, wrong) {
		w.t.Errorf("usage %+v of a job that ended at %v", w.usage, at)
	}
}

// work is a worker that reports a step and finishes, for as long as it is not done.
func (w *world) work(j *outcrop.Job, seconds int) {
	for range seconds {
		got := w.job(j)
		if got.Terminal() {
			return
		}
		if w.launcher.alive(got.Attempt.Handle) {
			p := process{w: w, j: j, id: attempt.ID{Job: j.ARN, Number: got.Attempt.Number}}
			p.beat(attempt.PhaseTraining, outcrop.Progress{Step: 1})
			if p.result(attempt.ExitDone, "") == nil {
				p.exit(attempt.ExitDone, "")
			}
		}
		time.Sleep(time.Second)
		synctest.Wait()
	}
}
