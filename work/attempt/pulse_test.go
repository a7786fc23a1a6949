package attempt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"outcrop.dev/outcrop"
)

// Of a process's threads the hungriest counts, from one look to the next; threads come and go.
func TestHunger(t *testing.T) {
	t.Parallel()
	h := hunger{tasks: t.TempDir()}
	for _, look := range []struct {
		threads map[string]string
		want    time.Duration
	}{
		{map[string]string{"1": "5 100 3", "2": "5 70 3"}, 0}, // what was before is not counted
		{map[string]string{"1": "5 110 3", "2": "5 100 3"}, 30},
		{map[string]string{"1": "5 150 3", "3": "5 1000 3"}, 70},
		{map[string]string{"3": "5 1001 3", "4": "what", "5": ""}, 71},
		{map[string]string{"3": "5 1001 3"}, 71},
	} {
		os.RemoveAll(h.tasks)
		for name, stat := range look.threads {
			if err := os.MkdirAll(filepath.Join(h.tasks, name), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(h.tasks, name, "schedstat"), []byte(stat), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := h.measure(); got != look.want {
			t.Errorf("with the threads %v it is %d, want %d", look.threads, got, look.want)
		}
	}
	os.RemoveAll(h.tasks)
	if got := h.measure(); got != 71 {
		t.Errorf("where nothing can be read it is %d, want 71", got)
	}
}

// The kernel's own file is read, and one of another form is not.
func TestRunDelay(t *testing.T) {
	t.Parallel()
	if _, ok := runDelay("/proc/self/schedstat"); !ok {
		t.Skip("SKIPPED: this kernel does not tell how long threads wait")
	}
	if _, ok := runDelay("/proc/self/stat"); ok {
		t.Error("a file of another form was read")
	}
}

// Whatever is finished is told with the next heartbeat, and nothing is while nothing is.
func TestPulse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect()
	working, stop := c.Start(t.Context())
	defer stop()
	told := func() int64 {
		for range len(w.jobs.beats) {
			<-w.jobs.beats
		}
		<-w.jobs.beats // may have been under way
		return (<-w.jobs.beats).Done
	}
	last := told()
	if last < 1 {
		t.Fatalf("it begins at %d: like a worker of an older program", last)
	}
	for name, finish := range map[string]func() error{
		"nothing": func() error { return nil },
		"rows":    func() error { c.Alive(); return nil },
		"a step":  func() error { c.Report(PhaseTraining, outcrop.Progress{Step: 1}); return nil },
		"an input": func() error {
			in, err := c.Get(working, w.spec.TrainingURI)
			return errors.Join(err, in.Close())
		},
		"an artefact": func() error {
			return c.Put(working, w.spec.OutputPrefix+"/x", "text/plain", strings.NewReader("x"))
		},
	} {
		if err := finish(); err != nil {
			t.Fatal(err)
		}
		if got := told(); (got > last) == (name == "nothing") {
			t.Errorf("%s: %d were done, and now %d", name, last, got)
		} else {
			last = got
		}
	}
}

// lines is a log that a test waits for.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// A worker that hangs says where, and goes on to be asked.
func TestStacks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var log lines
	o := w.options()
	o.Stderr = &log
	c, err := Connect(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	r, hang, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer hang.Close()
	go hangHere(r)
	_, stop := c.Start(t.Context())
	defer stop()
	w.jobs.set(func(j *fakeJobs) { j.command = CommandStacks })
	for !strings.Contains(log.String(), "hangHere") {
		<-w.jobs.beats
	}
	if !strings.HasPrefix(log.String(), stacksHeading) {
		t.Errorf("the log begins with %.100q", log.String())
	}
	if command := c.Report(PhaseTraining, outcrop.Progress{}); command != CommandRun {
		t.Errorf("the work is told to %s", command)
	}
}

func hangHere(r io.Reader) { r.Read(make([]byte, 1)) }

// The base model is another one: the attempt ends, so that the next one begins again.
func TestBaseReplaced(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		uses, is string
		ends     bool
	}{
		"the same": {"a", "a", false}, "not known yet": {"a", "", false}, "another, before the work knows": {"", "b", false}, "another": {"a", "b", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c := w.connect()
			working, stop := c.Start(t.Context())
			defer stop()
			c.UseBase(tc.uses)
			w.jobs.set(func(j *fakeJobs) { j.base = tc.is })
			for range 4 {
				<-w.jobs.beats
			}
			if cause := context.Cause(working); errors.Is(cause, ErrBaseReplaced) != tc.ends {
				t.Fatalf("the work ends: %v, want %v", cause, tc.ends)
			}
			if !tc.ends {
				return
			}
			if code := c.Finish(working, outcrop.Progress{}, fmt.Errorf("step: %w", context.Canceled)); code != ExitTemporary {
				t.Errorf("exit code %d", code)
			}
		})
	}
}
