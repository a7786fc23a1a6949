package work_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/work"
	"outcrop.dev/outcrop/work/attempt"
)

func TestJobCompletes(t *testing.T) {
	in(t, func(w *world) {
		w.serve()
		j := w.create(newJob("a"))
		got := w.job(j)
		if got.Validation.Status != outcrop.PhaseInProgress || got.Training.Status != outcrop.PhaseNotStarted || got.Attempt.Started.IsZero() {
			t.Errorf("a job that has begun: %+v %+v", got.Validation, got.Training)
		}
		if id, ok := signer.Check(w.launcher.starts[0].Token); !ok || id != (attempt.ID{Job: j.ARN, Number: 1}) {
			t.Errorf("the token is for %+v, %v", id, ok)
		}
		p := w.process(j, 1)
		spec, err := w.a.Spec(context.Background(), p.id)
		if err != nil || spec.ModelDir != "/models/base" || spec.ContextLength != 512 || spec.ScratchDir != w.scratch(j) ||
			spec.OutputPrefix != "s3://out/model-customization-job-"+j.ID || spec.HyperParameters["epochCount"] != "2" {
			t.Errorf("spec %+v, %v", spec, err)
		}
		if command := p.step(50); command != attempt.CommandRun {
			t.Errorf("command %q", command)
		}
		got = w.is(j, outcrop.JobInProgress)
		if got.Progress.Step != 50 || got.Training.Status != outcrop.PhaseInProgress || got.Validation.Status != outcrop.PhaseCompleted {
			t.Errorf("progress %+v, training %+v", got.Progress, got.Training)
		}
		p.finish(attempt.ExitDone, "")

		m := w.completed(j)
		got = w.job(j)
		if got.Progress.Step != 100 || got.EndTime.IsZero() || *m.TrainingLoss != 1.25 || !reflect.DeepEqual(m.ValidationLosses, []float64{1.5}) {
			t.Errorf("job %+v, model %+v", got.Progress, m)
		}
		if m.ARN != "arn:aws:bedrock:us-east-1:123456789012:custom-model/outcrop.pebble-v1/"+outcrop.ARN(j.CustomModelID) ||
			m.Name != j.CustomModelName || m.Status != outcrop.ModelActive || m.Tags["k"] != "v" || m.JobARN != j.ARN || m.Parent != string(j.BaseModelARN) {
			t.Errorf("model %+v", m)
		}
		if len(w.usage) != 1 || w.usage[0].TrainingTokens != 1000 || w.usage[0].Resource != j.ARN {
			t.Errorf("usage %+v", w.usage)
		}
		if _, err := p.beat(attempt.PhaseTraining, outcrop.Progress{}); !errors.Is(err, attempt.ErrFenced) {
			t.Errorf("a work.HeartbeatUsual after the end: %v", err)
		}
		if w.a.Running() != 0 {
			t.Errorf("%d slots are taken", w.a.Running())
		}
	})
}

// A model that was made from a custom model says so, and which foundation model is behind that.
func TestModelOfAModel(t *testing.T) {
	in(t, func(w *world) {
		w.serve()
		j := newJob("a")
		first := scope.ARN(outcrop.KindCustomModel, "outcrop.pebble-v1/firstfirst12")
		j.Parent, j.BaseModelID = string(first), string(first)
		w.create(j)
		w.process(j, 1).finish(attempt.ExitDone, "")
		if m := w.completed(j); m.Parent != string(first) || m.BaseModelID != string(first) || m.BaseModelARN != j.BaseModelARN {
			t.Errorf("model %+v", m)
		}
	})
}

func TestProgressIsWrittenAtItsPace(t *testing.T) {
	in(t, func(w *world) {
		w.serve()
		j := w.create(newJob("a"))
		p := w.process(j, 1)
		p.step(1)
		before := w.store.written()
		for i := range 200 { // 20 s
			p.step(2 + i)
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
		}
		if n := w.store.written() - before; n < 8 || n > 11 {
			t.Errorf("%d writes in 20 s, want one every 2 s", n)
		}
		before = w.store.written()
		if _, err := p.beat(attempt.PhaseTraining, outcrop.Progress{Step: 300, Steps: 300, ValidationLosses: []float64{2}}); err != nil {
			t.Fatal(err)
		}
		if got := w.job(j); len(got.Progress.ValidationLosses) != 1 || w.store.written() != before+1 {
			t.Errorf("a new validation loss waits: %+v", got.Progress)
		}
		if got := w.job(j).Lease; got.Fence != 1 || !got.Until.After(time.Now().Add(work.LeaseRenewal/2)) {
			t.Errorf("the lease was not renewed: %+v", got)
		}
	})
}

func TestNextAttempt(t *testing.T) {
	in(t, func(w *world) {
		w.serve()
		j := w.create(newJob("a"))
		p := w.process(j, 1)
		p.step(10)
		p.exit(attempt.ExitSoftware, "exit status 70; it said: x")
		time.Sleep(work.HeartbeatUsual)
		synctest.Wait()
		next := w.process(j, 2)
		if _, err := p.beat(attempt.PhaseTraining, outcrop.Progress{}); !errors.Is(err, attempt.ErrFenced) {
			t.Errorf("the earlier attempt is not fenced: %v", err)
		}
		if err := p.result(attempt.ExitSoftware, ""); !errors.Is(err, attempt.ErrFenced) {
			t.Errorf("the earlier attempt is not fenced: %v", err)
		}
		if _, err := w.a.Grant(context.Background(), p.id); !errors.Is(err, attempt.ErrFenced) {
			t.Errorf("the earlier attempt is not fenced: %v", err)
		}
		if _, err := next.beat(attempt.PhaseValidation, outcrop.Progress{}); err != nil {
			t.Fatal(err)
		}
		if got := w.job(j); got.Training.Status != outcrop.PhaseInProgress || got.Validation.Status != outcrop.PhaseCompleted || got.Progress.Step != 10 {
			t.Errorf("the job went backwards: %+v", got)
		}
		next.finish(attempt.ExitDone, "")
		w.completed(j)
	})
}

// An attempt that ends in the same way again and again ends the job, with a message that
// says what to do and where the log is; the log stays.
func TestPoisonJobFails(t *testing.T) {
	in(t, func(w *world) {
		w.serve()
		j := w.create(newJob("a"))
		log := filepath.Join(w.scratch(j), attempt.LogFile)
		began := time.Now()
		for n := 1; n <= work.FailuresMax; n++ {
			p := w.process(j, n)
			p.step(7) // never further
			if err := os.WriteFile(log, []byte("why"), 0o600); err != nil {
				t.Fatal(err)
			}
			p.exit(2, "exit status 2; it said: panic: row 7")
			time.Sleep(work.HeartbeatUsual + work.Backoff(n))
			synctest.Wait()
		}
		got := w.is(j, outcrop.JobFailed)
		for _, want := range []string{"Encountered an unexpected error", "panic: row 7", log, "5 times in a row after step 7"} {
			if !strings.Contains(got.FailureMessage, want) {
				t.Errorf("the message %q lacks %q", got.FailureMessage, want)
			}
		}
		if got.Training.Status != outcrop.PhaseFailed || got.EndTime.IsZero() || got.OutputModelARN != "" {
			t.Errorf("job %+v", got)
		}
		if _, err := os.Stat(log); err != nil {
			t.Error(err)
		}
		if time.Since(began) < 3*time.Second {
			t.Errorf("no backing off: %v", time.Since(began))
		}
		time.Sleep(time.Hour)
		if n := w.launcher.count(); n != work.FailuresMax {
			t.Errorf("%d attempts", n)
		}
	})
}

func TestProgressForgivesFailures(t *testing.T) {
	in(t, func(w *world) {
		w.serve()
		j := w.create(newJob("a"))
		for n := 1; n <= 4*work.FailuresMax; n++ {
			p := w.process(j, n)
			p.step(n) // each a step further
			p.exit(2, "panic")
			time.Sleep(work.HeartbeatUsual)
			synctest.Wait()
		}
		w.is(j, outcrop.JobInProgress)
	})
}

// What is killed from outside, or ends unseen, is not the job's fault, but not for ever.
func TestLosses(t *testing.T) {
	in(t, func(w *world) {
		w.serve()
		j := w.create(newJob("a"))
		for n := 1; n < work.LossesMax; n++ {
			p := w.process(j, n)
			switch n % 3 {
			case 0:
				p.exit(work.CodeUnknown, "signal: killed")
			case 1:
				w.launcher.vanish(w.job(j).Attempt.Handle)
			default:
				p.exit(attempt.ExitTemporary, "exit status 75")
			}
			time.Sleep(work.HeartbeatUsual + work.Backoff(n))
			synctest.Wait()
		}
		w.is(j, outcrop.JobInProgress)
		w.process(j, work.LossesMax).exit(work.CodeUnknown, "signal: killed")
		time.Sleep(work.HeartbeatUsual)
		synctest.Wait()
		if got := w.is(j, outcrop.JobFailed); !strings.Contains(got.FailureMessage, "100 times") || !strings.Contains(got.FailureMessage, "signal: killed") {
			t.Errorf("message %q", got.FailureMessage)
		}
	})
}

// A job that waited in vain for room on the disk says what to do about that.
func TestLossesForWantOfADisk(t *testing.T) {
	in(t, func(w *world) {
		w.serve()
		j := w.create(newJob("a"))
		for n := 1; n <= work.LossesMax; n++ {
			p := w.process(j, n)
			if err := p.deliver(attempt.Result{Attempt: n, ExitCode: attempt.ExitTemporary, Message: "save a checkpoint: " + syscall.ENOSPC.Error(),
				Reason: outcrop.ReasonDiskFull, Progress: outcrop.Progress{Step: 7, Steps: 9}}); err != nil {
				t.Fatal(err)
			}
			p.exit(attempt.ExitTemporary, "")
			time.Sleep(work.ExitPoll + work.HeartbeatUsual + work.Backoff(n))
			synctest.Wait()
		}
		got := w.is(j, outcrop.JobFailed).FailureMessage
		if !strings.Contains(got, "after step 7, the last time: save a checkpoint: no space left on device. The disk of the server's data directory is full") {
			t.Errorf("message %q", got)
		}
	})
}

// What a worker says reaches the user as it is; what its exit code says is explained.
func TestFailureMessages(t *testing.T) {
	for code, want := range map[int][]string{
		attempt.ExitBadData:  {"Unable to parse Amazon S3 file: train.jsonl. line 3", "outcrop data check"},
		attempt.ExitNoInput:  {"Could not validate GetObject permissions to access Amazon S3 bucket: data at key train.jsonl. line 3"},
		attempt.ExitDiverged: {"diverged: line 3", "learningRate"},
		attempt.ExitConfig:   {"line 3", "outcrop doctor"},
		attempt.ExitDeadline: {"line 3", "fewer epochs"},
	} {
		t.Run(want[0], func(t *testing.T) {
			in(t, func(w *world) {
				w.serve()
				j := w.create(newJob("a"))
				w.process(j, 1).exit(code, "line 3")
				time.Sleep(work.HeartbeatUsual)
				synctest.Wait()
				w.failedWith(j, want...)
			})
		})
	}
	for code, want := range map[int]string{
		attempt.ExitBadData: "line 3.", attempt.ExitOutOfMemory: "line 3.", attempt.ExitDiverged: "line 3.", attempt.ExitConfig: "line 3.",
		attempt.ExitNoInput: "Could not validate GetObject permissions to access Amazon S3 bucket: data at key train.jsonl. line 3. " +
			"Check that the job's buckets and files still exist, and create a new job.",
	} {
		t.Run(fmt.Sprintf("said, %d", code), func(t *testing.T) {
			in(t, func(w *world) {
				w.serve()
				j := w.create(newJob("a"))
				w.process(j, 1).finish(code, "line 3")
				if got := w.failedWith(j); got != want {
					t.Errorf("message %q, want %q", got, want)
				}
			})
		})
	}
}

// What the worker says of an object in AWS's words is not said twice.
func TestMissingOutputIsNotMissingInput(t *testing.T) {
	in(t, func(w *world) {
		w.serve()
		j := w.create(newJob("a"))
		const said = "Amazon S3 perms missing (PutObject): Could not validate PutObject permissions to access S3 bucket: out at key x. Make it."
		w.process(j, 1).fail(&outcrop.Error{Code: outcrop.CodeNotFound, Reason: outcrop.ReasonNoOutput, Msg: said})
		if got := w.failedWith(j); got != said {
			t.Errorf("message %q", got)
		}
	})
}

// A fault of the machine says what its owner can do.
func TestRemedies(t *testing.T) {
	for fault, want := range map[syscall.Errno]string{
		syscall.ENOSPC: "is full", syscall.EDQUOT: "quota", syscall.EROFS: "writable", syscall.EACCES: "permissions", syscall.EIO: "disk",
		syscall.ENOMEM: "more memory",
	} {
		t.Run(fault.Error(), func(t *testing.T) {
			in(t, func(w *world) {
				w.serve()
				j := w.create(newJob("a"))
				for n := 1; n <= work.FailuresMax; n++ {
					err := &os.PathError{Op: "write", Path: "/data/scratch/x", Err: fault}
					w.process(j, n).fail(fmt.Errorf("save a checkpoint of step 3: %w", err))
					time.Sleep(work.HeartbeatUsual + work.Backoff(n))
					synctest.Wait()
				}
				w.failedWith(j, "write /data/scratch/x", want, "create a new job")
			})
		})
	}
}

// TestRemediesWithoutAReason: the result of a worker of an earlier version is told as it is, and
// a worker that died is known by what it printed last.
func TestRemediesWithoutAReason(t *testing.T) {
	full := "write /data/scratch/x: " + syscall.ENOSPC.Error()
	for name, c := range map[string]struct {
		end     func(process)
		advised bool
	}{
		"an earlier version": {func(p process) { p.finish(attempt.ExitSoftware, full) }, false},
		"died":               {func(p process) { p.exit(attempt.ExitSoftware, "exit status 70; it said: "+full) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(w *world) {
				w.serve()
				j := w.create(newJob("a"))
				for n := 1; n <= work.FailuresMax; n++ {
					c.end(w.process(j, n))
					time.Sleep(work.HeartbeatUsual + work.Backoff(n))
					synctest.Wait()
				}
				if got := w.failedWith(j, full); strings.Contains(got, "is full") != c.advised {
					t.Errorf("message %q", got)
				}
			})
		})
	}
}

// failedWith checks that a job has failed with a message that has all the parts.
func (w *world) failedWith(j *outcrop.Job, parts ...string) string {
	w.t.Helper()
	got := w.is(j, outcrop.JobFailed)
	for _, part := range parts {
		if !strings.Contains(got.FailureMessage, part) {
			w.t.Errorf("%q lacks %q", got.FailureMessage, part)
		}
	}
	if got.Validation.Status != outcrop.PhaseFailed || len(w.usage) != 0 {
		w.t.Errorf("phase %+v, usage %v", got.Validation, w.usage)
	}
	return got.FailureMessage
}

// The kernel's kill for lack of memory may have been another program's fault: it is tried
// again, and explained in the end.
func TestKilledForLackOfMemory(t *testing.T) {
	in(t, func(w *world) {
		w.serve()
		j := w.create(newJob("a"))
		for n := 1; n <= work.FailuresMax; n++ {
			w.process(j, n).exit(attempt.ExitOutOfMemory, "killed by the kernel for lack of memory")
			time.Sleep(work.HeartbeatUsual + work.Backoff(n))
			synctest.Wait()
		}
		w.failedWith(j, "does not fit", "killed by the kernel", "batchSize", "5 times")
	})
}

func TestLongMessageIsClipped(t *testing.T) {
	in(t, func(w *world) {
		w.serve()
		j := w.create(newJob("a"))
		w.process(j, 1).finish(attempt.ExitBadData, strings.Repeat("é", 3000))
		if n := len([]rune(w.is(j, outcrop.JobFailed).FailureMessage)); n != work.FailureCharactersMax {
			t.Errorf("%d characters", n)
		}
	})
}

// A result that another attempt may better is counted once, however long the back-off.
func TestRetriedResultIsCountedOnce(t *testing.T) {
	in(t, func(w *world) {
		w.serve()
		j := w.create(newJob("a"))
		for n := 1; n <= 3; n++ {
			w.process(j, n).finish(attempt.ExitSoftware, "x")
			time.Sleep(work.Backoff(n) + work.HeartbeatUsual)
			synctest.Wait()
			if got := w.job(j).Attempt; got.Failures != n || got.Number != n+1 {
				t.Errorf("after %d failures: %+v", n, got)
			}
		}
	})
}

func TestHungAttemptIsKilled(t *testing.T) {
	in(t, func(w *world) {
		w.serve()
		j := w.create(newJob("a"))
		p := w.process(j, 1)
		time.Sleep(work.HangTimeout - work.HeartbeatUsual)
		p.step(1)
		time.Sleep(work.HangTimeout - work.HeartbeatUsual)
		synctest.Wait()
		w.process(j, 1)
		time.Sleep(2 * work.HeartbeatUsual)
		synctest.Wait()
		w.process(j, 2)
		if got := w.job(j).Attempt; got.Failures != 1 || w.launcher.kills != 1 {
			t.Errorf("attempt %+v, %d kills", got, w.launcher.kills)
		}
	})
}

func TestProgramThatCannotBeStarted(t *testing.T) {
	in(t, func(w *world) {
		w.launcher.failing = errors.New("no such program")
		w.serve()
		j := w.create(newJob("a"))
		time.Sleep(time.Minute)
		if got := w.is(j, outcrop.JobFailed); !strings.Contains(got.FailureMessage, "no such program") || w.launcher.count() != work.FailuresMax {
			t.Errorf("%d starts, message %q", w.launcher.count(), got.FailureMessage)
		}
	})
}

func TestSlots(t *testing.T) {
	in(t, func(w *world) {
		w.slots = 2
		var jobs []*outcrop.Job
		for _, name := range []string{"c", "b", "a", "d"} { // by time, not by name
			jobs = append(jobs, w.create(newJob(name)))
			time.Sleep(time.Second)
		}
		w.serve()
		started := func(want ...int) {
			t.Helper()
			for i, j := range jobs {
				if got := w.job(j).Attempt.Number; got != want[i] {
					t.Errorf("job %d: attempt %d, want %d", i, got, want[i])
				}
			}
		}
		started(1, 1, 0, 0)
		w.stop(jobs[3]) // needs no slot, and comes before the one that waits longer
		w.is(jobs[3], outcrop.JobStopped)
		w.process(jobs[1], 1).finish(attempt.ExitDone, "")
		started(1, 1, 1, 0)
		if w.a.Running() != 2 {
			t.Errorf("%d running", w.a.Running())
		}
	})
}

func TestTwoServersShareTheQueue(t *testing.T) {
	in(t, func(w *world) {
		a, b := w.create(newJob("a")), w.create(newJob("b"))
		w.serve()
		dir := t.TempDir()
		second := &world{t: t, dir: dir, store: w.store, launcher: newFakeLauncher(dir)}
		second.server("another server")
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- second.s.Run(ctx) }()
		time.Sleep(time.Minute)
		if n, m := w.launcher.count(), second.launcher.count(); n != 1 || m != 1 {
			t.Errorf("%d and %d starts", n, m)
		}
		w.process(a, 1)
		second.process(b, 1)
		cancel()
		<-done
		time.Sleep(work.LeaseTTL) // the other server is gone for good
		w.process(a, 1).finish(attempt.ExitDone, "")
		synctest.Wait()
		w.process(b, 2)
	})
}

// A server whose lease another one has taken writes nothing more.
func TestLostLease(t *testing.T) {
	in(t, func(w *world) {
		w.serve()
		j := w.create(newJob("a"))
		w.store.set(func(s *faultyStore) { s.fault = func(string) error { return errors.New("the disk is away") } })
		time.Sleep(2 * work.LeaseTTL)
		if _, ok, err := w.store.Store.Claim(context.Background(), outcrop.KindJob, []outcrop.Status{outcrop.JobInProgress}, "another", time.Hour); !ok || err != nil {
			t.Fatal(ok, err)
		}
		before, _ := w.store.Store.Get(context.Background(), outcrop.Key{ARN: j.ARN})
		w.store.set(func(s *faultyStore) { s.fault = nil })
		time.Sleep(time.Minute)
		after, _ := w.store.Store.Get(context.Background(), outcrop.Key{ARN: j.ARN})
		if body(before) != body(after) || w.a.Running() != 0 || w.launcher.kills != 0 {
			t.Errorf("before %s\nafter  %s", body(before), body(after))
		}
	})
}
