package work_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/work"
	"outcrop.dev/outcrop/work/attempt"
)

// beatEvery is often enough not to be silent, and seldom enough for hours to pass.
const beatEvery = 20 * time.Second

// pulse reports with the process's pulse, and returns whether it is asked for its stacks.
func (p process) pulse(step int, done int64, starved time.Duration) (stacks bool) {
	p.w.t.Helper()
	reply, err := p.w.a.Beat(context.Background(), p.id, attempt.Heartbeat{
		Phase: attempt.PhaseTraining, Progress: outcrop.Progress{Step: step, Steps: 1000}, Pulse: attempt.Pulse{Done: done, Starved: starved},
	})
	if err != nil {
		p.w.t.Fatal(err)
	}
	synctest.Wait()
	return reply.Command == attempt.CommandStacks
}

// idle lets the process live for so long and do nothing but hunger, by that share of the time. It
// says for how long the process lived, and how often it was asked for its stacks.
func (p process) idle(most time.Duration, step int, hunger float64) (lived time.Duration, stacks int) {
	p.w.t.Helper()
	handle, began := p.w.job(p.j).Attempt.Handle, time.Now()
	for p.w.launcher.alive(handle) && time.Since(began) < most {
		if p.pulse(step, int64(step)+1, time.Duration(hunger*float64(time.Since(began)))) {
			stacks++
		}
		every := beatEvery
		if hunger == 0 && time.Since(began) > work.IdleMax-beatEvery {
			every = work.HeartbeatUsual // so that it hears what it is asked
		}
		time.Sleep(every)
		synctest.Wait()
	}
	return time.Since(began), stacks
}

// around fails the test unless got is want, or a few heartbeats more.
func around(t *testing.T, got, want time.Duration) {
	t.Helper()
	if got < want || got > want+work.StacksGrace*work.HeartbeatUsual+3*beatEvery {
		t.Errorf("it was ended after %v, want %v", got, want)
	}
}

// A worker that lives and does nothing is asked for its stacks, ended, and tried again; the third
// time the job fails, and says where to look.
func TestIdleAttempt(t *testing.T) {
	in(t, func(w *world) {
		w.serve()
		j := w.create(newJob("a"))
		for n := 1; n <= work.StallsMax; n++ {
			lived, stacks := w.process(j, n).idle(time.Hour, 7, 0)
			around(t, lived, work.IdleMax)
			if stacks != 1 {
				t.Errorf("attempt %d was asked %d times for its stacks", n, stacks)
			}
			time.Sleep(work.Backoff(n) + work.HeartbeatUsual)
			synctest.Wait()
		}
		got := w.is(j, outcrop.JobFailed)
		for _, want := range []string{"did nothing, though it lived, and was ended 3 times in a row after step 7", "stacks in the worker's log", attempt.LogFile} {
			if !strings.Contains(got.FailureMessage, want) {
				t.Errorf("the message %q lacks %q", got.FailureMessage, want)
			}
		}
	})
}

// Time without the CPU does not count.
func TestHungryAttempt(t *testing.T) {
	for name, tc := range map[string]struct {
		hunger float64
		want   time.Duration
	}{"three quarters of the time": {0.75, 4 * work.IdleMax}, "always": {1, 10 * work.IdleMax}} {
		t.Run(name, func(t *testing.T) {
			in(t, func(w *world) {
				w.serve()
				lived, _ := w.process(w.create(newJob("a")), 1).idle(10*work.IdleMax, 1, tc.hunger)
				around(t, lived, tc.want)
			})
		})
	}
}

// Whatever is done counts; so do slow steps, by their median.
func TestBusyAttempt(t *testing.T) {
	in(t, func(w *world) {
		w.serve()
		j := w.create(newJob("a"))
		p := w.process(j, 1)
		for done := range int64(6) { // an hour of rows within one step
			for range int(work.IdleMax/beatEvery) - 1 {
				if p.pulse(1, done+1, 0) {
					t.Fatal("it was taken for idle")
				}
				time.Sleep(beatEvery)
			}
		}
		const step = 5 * time.Minute
		for n := range 10 {
			for range int(step / beatEvery) {
				p.pulse(n+2, int64(n)+100, 0)
				time.Sleep(beatEvery)
			}
		}
		w.process(j, 1)
		lived, _ := p.idle(5*time.Hour, 12, 0)
		around(t, lived, work.IdleSteps*step)
	})
}

// One that goes on once it has printed its stacks is left alone; a worker of an older program, too.
func TestNotIdle(t *testing.T) {
	in(t, func(w *world) {
		w.serve()
		j := w.create(newJob("a"))
		p := w.process(j, 1)
		for n := range int64(2) {
			for !p.pulse(1, n+1, 0) {
				time.Sleep(work.HeartbeatUsual)
				synctest.Wait()
			}
		}
		for range int(3 * work.IdleMax / beatEvery) {
			p.step(2)
			time.Sleep(beatEvery)
		}
		w.process(j, 1)
		if w.launcher.kills != 0 {
			t.Errorf("%d kills", w.launcher.kills)
		}
	})
}

// A step further forgives the stalls before it.
func TestProgressForgivesStalls(t *testing.T) {
	in(t, func(w *world) {
		w.serve()
		j := w.create(newJob("a"))
		for n := 1; n <= 3*work.StallsMax; n++ {
			w.process(j, n).idle(time.Hour, n, 0)
			time.Sleep(work.HeartbeatUsual)
			synctest.Wait()
		}
		w.is(j, outcrop.JobInProgress)
	})
}

// Finished work waits for its place, however long, and is not made again; it can be stopped meanwhile.
func TestFinishedWorkWaitsForItsPlace(t *testing.T) {
	for name, end := range map[string]func(w *world, j *outcrop.Job){
		"there is one at last": func(w *world, j *outcrop.Job) {
			if err := os.Remove(w.dir + "/models"); err != nil {
				t.Error(err)
			}
			time.Sleep(work.PublishEvery + work.LeaseRenewal)
			synctest.Wait()
			w.completed(j)
		},
		"the next server finds one": func(w *world, j *outcrop.Job) {
			w.end()
			if err := os.Remove(w.dir + "/models"); err != nil {
				t.Error(err)
			}
			w.serve()
			w.completed(j)
		},
		"it is stopped": func(w *world, j *outcrop.Job) {
			if err := os.Remove(w.dir + "/models"); err != nil {
				t.Error(err)
			}
			w.stop(j)
			w.stoppedCleanly(j)
		},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(w *world) {
				if err := os.WriteFile(w.dir+"/models", nil, 0o600); err != nil { // no directory can be made there
					t.Fatal(err)
				}
				w.serve()
				j := w.create(newJob("a"))
				w.process(j, 1).finish(attempt.ExitDone, "")
				time.Sleep(24 * time.Hour)
				synctest.Wait()
				if got := w.is(j, outcrop.JobInProgress).Attempt; got.Number != 1 || got.Failures != 0 || got.Result == nil {
					t.Errorf("attempt %+v", got)
				}
				end(w, j)
				if n := w.launcher.count(); n != 1 {
					t.Errorf("%d attempts", n)
				}
			})
		})
	}
}
