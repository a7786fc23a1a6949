package work_test

import (
	"os"
	"testing"
	"testing/synctest"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/work"
	"outcrop.dev/outcrop/work/attempt"
)

func TestStopBeforeTheStart(t *testing.T) {
	in(t, func(w *world) {
		j := w.create(newJob("a"))
		w.stop(j)
		w.serve()
		if got := w.is(j, outcrop.JobStopped); got.EndTime.IsZero() || got.Validation.Status != outcrop.PhaseNotStarted {
			t.Errorf("job %+v", got)
		}
		if w.launcher.count() != 0 {
			t.Error("it was started")
		}
	})
}

func TestStop(t *testing.T) {
	in(t, func(w *world) {
		w.serve()
		j := w.create(newJob("a"))
		p := w.process(j, 1)
		p.step(5)
		w.stop(j)
		if got := w.is(j, outcrop.JobStopping); got.Training.Status != outcrop.PhaseStopping {
			t.Errorf("training %+v", got.Training)
		}
		if command := p.step(6); command != attempt.CommandStop {
			t.Errorf("command %q", command)
		}
		p.finish(attempt.ExitStopped, "")
		w.stoppedCleanly(j)
		if got := w.job(j).Progress; got.Tokens != 1000 || got.Step != 100 || got.TrainingLoss == nil {
			t.Errorf("progress %+v, want the result's and not the last work.HeartbeatUsual's", got)
		}
		if len(w.usage) != 1 || w.usage[0].TrainingTokens != 1000 {
			t.Errorf("usage %+v", w.usage)
		}
	})
}

// stoppedCleanly checks what a stopped job leaves behind: nothing.
func (w *world) stoppedCleanly(j *outcrop.Job) {
	w.t.Helper()
	got := w.is(j, outcrop.JobStopped)
	if got.OutputModelARN != "" || got.FailureMessage != "" || got.EndTime.IsZero() {
		w.t.Errorf("job %+v", got)
	}
	if w.launcher.alive(got.Attempt.Handle) {
		w.t.Error("the worker lives")
	}
	for _, dir := range []string{w.scratch(j), w.dir + "/models/" + j.CustomModelID} {
		if _, err := os.Stat(dir); err == nil {
			w.t.Errorf("%s is still there", dir)
		}
	}
}

func TestStopOfAWorkerThatDoesNot(t *testing.T) {
	in(t, func(w *world) {
		w.serve()
		j := w.create(newJob("a"))
		p := w.process(j, 1)
		w.stop(j)
		for range int(work.StopGrace / work.HeartbeatUsual) {
			w.is(j, outcrop.JobStopping)
			p.step(1)
			time.Sleep(work.HeartbeatUsual)
			synctest.Wait()
		}
		time.Sleep(work.HeartbeatUsual)
		synctest.Wait()
		w.stoppedCleanly(j)
		if w.launcher.kills != 1 {
			t.Errorf("%d kills", w.launcher.kills)
		}
	})
}

func TestStopMeetsOtherEnds(t *testing.T) {
	for name, end := range map[string]func(p process){
		"done":    func(p process) { p.finish(attempt.ExitDone, "") },
		"failed":  func(p process) { p.finish(attempt.ExitBadData, "x") },
		"crashed": func(p process) { p.exit(2, "panic") },
		"unseen":  func(p process) { p.w.launcher.vanish(p.w.job(p.j).Attempt.Handle) },
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(w *world) {
				w.serve()
				j := w.create(newJob("a"))
				p := w.process(j, 1)
				w.stop(j)
				end(p)
				time.Sleep(work.HeartbeatUsual)
				synctest.Wait()
				w.stoppedCleanly(j)
				time.Sleep(time.Minute)
				if n := w.launcher.count(); n != 1 {
					t.Errorf("%d starts", n)
				}
			})
		})
	}
}

// The stop comes while the model is already where models live.
func TestStopWhilePublishing(t *testing.T) {
	in(t, func(w *world) {
		w.serve()
		j := w.create(newJob("a"))
		p := w.process(j, 1)
		stopped := false
		w.store.set(func(s *faultyStore) {
			s.fault = func(op string) error {
				if _, err := os.Stat(w.dir + "/models/" + j.CustomModelID); err == nil && op == "apply" && !stopped {
					stopped = true
					w.storeStop(j)
				}
				return nil
			}
		})
		p.finish(attempt.ExitDone, "")
		if !stopped {
			t.Fatal("the stop did not come in between")
		}
		w.stoppedCleanly(j)
	})
}

// storeStop is stop without waiting, for use within a call of the store.
func (w *world) storeStop(j *outcrop.Job) {
	got := w.job(j)
	got.Status = outcrop.JobStopping
	got.Lease = outcrop.Lease{}
	if err := w.store.Store.Apply(w.t.Context(), outcrop.Change{Op: outcrop.OpUpdate, Record: got.Record()}); err != nil {
		w.t.Error(err)
	}
}
