package attempt

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"outcrop.dev/outcrop"
)

func TestConnectReturnsTheSpec(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if got := w.connect().Spec(); !reflect.DeepEqual(got, w.spec) {
		t.Errorf("got  %+v\nwant %+v", got, w.spec)
	}
}

func TestConnectWaitsForAServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.server.Close()
	impostor := httptest.NewServer(http.NotFoundHandler()) // another program on the old port
	t.Cleanup(impostor.Close)
	writeServerFile(t, w.dataDir, `{"url":"`+impostor.URL+`"}`)
	go func() {
		for _, half := range []string{`{"ur`, `{"url":"::"}`, `{"url":"ftp://x"}`} {
			time.Sleep(20 * time.Millisecond)
			os.WriteFile(filepath.Join(w.dataDir, ServerFile), []byte(half), 0o600)
		}
		w.start(w.handler)
	}()
	w.connect()
}

func writeServerFile(t *testing.T, dir, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, ServerFile), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestConnectGivesUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.server.Close()
	o := w.options()
	o.Patience = 10 * time.Millisecond
	_, err := Connect(t.Context(), o)
	if outcrop.CodeOf(err) != outcrop.CodeServiceUnavailable || ExitCode(err) != ExitTemporary || !strings.Contains(err.Error(), ServerFile) {
		t.Errorf("no server: %v", err)
	}
	w.start(w.handler)
	o.Token = NewSigner(testKey).Token(testID) + "x"
	if _, err := Connect(t.Context(), o); outcrop.CodeOf(err) != outcrop.CodeServiceUnavailable {
		t.Errorf("another server's token: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(io.ErrClosedPipe)
	if _, err := Connect(ctx, w.options()); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a context that has ended: %v", err)
	}
}

func TestServerTroubleIsWaitedOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.jobs.set(func(j *fakeJobs) { j.failing = 2 })
	w.connect()
}

func TestHeartbeatsAndCommands(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect()
	_, stop := c.Start(t.Context())
	defer stop()
	if hb := <-w.jobs.beats; hb.Phase != PhaseValidation {
		t.Errorf("the first heartbeat says %q", hb.Phase)
	}
	loss := 1.5
	p := outcrop.Progress{Step: 4, Steps: 9, TrainingLoss: &loss, ValidationLosses: []float64{2, 3}, ETASeconds: math.Inf(1)}
	if got := c.Report(PhaseTraining, p); got != CommandRun {
		t.Errorf("command %q", got)
	}
	want := p
	want.ETASeconds = 0
	for hb := range w.jobs.beats {
		if hb.Phase == PhaseTraining {
			if !reflect.DeepEqual(hb.Progress, want) {
				t.Errorf("progress %+v", hb.Progress)
			}
			break
		}
	}
	w.command(CommandCheckpoint)
	w.await(c, p, CommandCheckpoint)
	w.command(CommandCheckpoint) // the server sends it until somebody takes it back
	w.command(CommandRun)
	w.await(c, p, CommandCheckpoint) // the last one that was sent stays until it is seen,
	w.await(c, p, CommandRun)        // and is seen once
	w.command(CommandPreempt)
	w.await(c, p, CommandPreempt)
	w.command(CommandStop)
	w.await(c, p, CommandStop)
	w.command(CommandRun)
	w.await(c, p, CommandStop) // told to end, it ends
}

// command changes the answer to heartbeats and waits until some have had it.
func (w *world) command(command string) {
	w.jobs.set(func(j *fakeJobs) { j.command = command })
	for len(w.jobs.beats) > 0 {
		<-w.jobs.beats
	}
	for range 3 {
		<-w.jobs.beats
	}
}

func (w *world) await(c *Client, p outcrop.Progress, want string) {
	w.t.Helper()
	if got := c.Report(PhaseTraining, p); got != want {
		w.t.Errorf("command %q, want %q", got, want)
	}
}

func TestFencedWorkerEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect()
	working, stop := c.Start(t.Context())
	defer stop()
	w.jobs.set(func(j *fakeJobs) { j.fenced = true })
	<-working.Done()
	if !errors.Is(context.Cause(working), ErrFenced) {
		t.Errorf("cause %v", context.Cause(working))
	}
	for name, err := range map[string]error{
		"get": second(c.Get(t.Context(), "s3://in/train.jsonl")),
		"put": c.Put(t.Context(), w.spec.OutputPrefix+"/x", "text/csv", strings.NewReader("x")),
		"new": second(Connect(t.Context(), w.options())),
	} {
		if !errors.Is(err, ErrFenced) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if code := c.Finish(working, outcrop.Progress{}, working.Err()); code != ExitFenced {
		t.Errorf("exit code %d", code)
	}
	if _, ok := readResult(w.spec.ScratchDir); ok {
		t.Error("a fenced worker left a result")
	}
}

func second[T any](_ T, err error) error { return err }

func TestServerMayMove(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect()
	_, stop := c.Start(t.Context())
	defer stop()
	<-w.jobs.beats
	w.server.CloseClientConnections()
	w.server.Close()
	for len(w.jobs.beats) > 0 {
		<-w.jobs.beats
	}
	w.start(w.handler)
	<-w.jobs.beats
}

func TestAbsentServerPreemptsAfterAWhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.options()
	o.AbsenceMax = 2 * w.spec.Heartbeat
	c, err := Connect(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	w.server.Close()
	working, stop := c.Start(t.Context())
	defer stop()
	for c.Report(PhaseTraining, outcrop.Progress{}) != CommandPreempt {
		time.Sleep(time.Millisecond)
	}
	if working.Err() != nil {
		t.Error("the work was cut off")
	}
	if err := os.RemoveAll(w.dataDir); err != nil {
		t.Fatal(err)
	}
	<-working.Done()
	if code := c.Finish(working, outcrop.Progress{}, working.Err()); code != ExitSoftware {
		t.Errorf("exit code %d", code)
	}
}

// Nobody waits for a server in a directory that has been removed.
func TestRemovedDataDirectory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.options()
	o.Patience = time.Hour
	w.server.Close()
	if err := os.RemoveAll(w.dataDir); err != nil {
		t.Fatal(err)
	}
	if _, err := Connect(t.Context(), o); outcrop.CodeOf(err) != outcrop.CodeServiceUnavailable {
		t.Errorf("Connect = %v", err)
	}
}

func TestInputsAreCopiedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.objects.cut = 2 // the connection breaks twice
	c := w.connect()
	for range 2 {
		if got := read(t, c, "s3://in/train.jsonl"); got != "training" {
			t.Errorf("read %q", got)
		}
		w.objects.set("in/train.jsonl", []byte("overwritten while the job runs"))
		half := filepath.Join(w.spec.ScratchDir, InputsDir, "x.123.tmp")
		if err := os.WriteFile(half, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		c = w.connect() // the next attempt
		if _, err := os.Stat(half); err == nil {
			t.Error("half a download was kept")
		}
	}
	own := w.spec.OutputPrefix + "/a.csv"
	for _, content := range []string{"one", "two"} {
		if err := c.Put(t.Context(), own, "text/csv", strings.NewReader(content)); err != nil {
			t.Fatal(err)
		}
		if got := read(t, c, own); got != content {
			t.Errorf("an artefact reads %q, want %q", got, content)
		}
	}
}

// TestAcceptedBytesAreRead: what an input's key has now does not matter, nor whether it is there.
// Bytes that are not those that were accepted are no input. A job of an earlier program has none that
// were accepted, and reads its keys (TestInputsAreCopiedOnce).
func TestAcceptedBytesAreRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const train, val = "s3://in/train.jsonl", "s3://in/val.jsonl"
	kept := hexDigest([]byte("accepted"))
	w.objects.set("in/train.jsonl", []byte("replaced"))
	w.objects.set(".outcrop/blobs/"+kept, []byte("accepted"))
	w.objects.set(".outcrop/blobs/other", []byte("damaged"))
	w.jobs.spec.Inputs = []outcrop.Input{{URI: train, Size: 8, SHA256: kept}, {URI: val, Size: 7, SHA256: "other"}}
	c := w.connect()
	if got := read(t, c, train); got != "accepted" {
		t.Errorf("read %q", got)
	}
	if _, err := c.Get(t.Context(), val); err == nil || !strings.Contains(err.Error(), val+" has the SHA-256") {
		t.Errorf("other bytes: %v", err)
	}
	if status, _ := w.send("GET", "object?uri=s3://.outcrop/blobs/"+kept, "", nil); status != 403 {
		t.Errorf("a worker reads the system's bucket: %d", status)
	}
}

func read(t *testing.T, c *Client, uri string) string {
	t.Helper()
	f, err := c.Get(t.Context(), uri)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestObjectErrors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.jobs.spec.ValidationURIs = []string{"s3://in/missing", "s3://in"}
	w.jobs.spec.OutputPrefix = "s3://gone/p"
	w.objects.setGone(true)
	c := w.connect()
	for uri, want := range map[string]outcrop.Code{
		"s3://in/missing": outcrop.CodeNotFound, "s3://in": outcrop.CodeValidation, "s3://in/other": outcrop.CodeAccessDenied,
		"": outcrop.CodeAccessDenied, "s3://gone/p": outcrop.CodeAccessDenied, "s3://gone/p2/x": outcrop.CodeAccessDenied, "s3://gone/p/": outcrop.CodeAccessDenied,
	} {
		if _, err := c.Get(t.Context(), uri); outcrop.CodeOf(err) != want || ExitCode(err) == ExitSoftware {
			t.Errorf("get %q: %v, want %s", uri, err, want)
		}
	}
	for uri, want := range map[string]outcrop.Code{
		"s3://gone/p/x": outcrop.CodeNotFound, "s3://in/train.jsonl": outcrop.CodeAccessDenied, "s3://gone/px": outcrop.CodeAccessDenied,
	} {
		if err := c.Put(t.Context(), uri, "", strings.NewReader("x")); outcrop.CodeOf(err) != want {
			t.Errorf("put %q: %v, want %s", uri, err, want)
		}
	}
	err := c.Put(t.Context(), "s3://gone/p/x", "", strings.NewReader("x"))
	if want := "Could not validate PutObject permissions to access S3 bucket: gone at key p/x."; !strings.Contains(err.Error(), want) {
		t.Errorf("put: %v, want %q", err, want)
	}
}

// What a newer content has made up for does not fail a job in the end.
func TestFlushForgetsWhatWasMadeUpFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect()
	_, stop := c.Start(t.Context())
	defer stop()
	steps, other := w.spec.OutputPrefix+"/steps.csv", w.spec.OutputPrefix+"/other.csv"
	w.objects.setGone(true)
	c.PutLater(steps, "text/csv", []byte("1"))
	c.PutLater(other, "text/csv", []byte("1"))
	c.uploads.await(t)
	w.objects.setGone(false)
	c.PutLater(steps, "text/csv", []byte("12"))
	if err := c.Flush(t.Context()); outcrop.CodeOf(err) != outcrop.CodeNotFound || !strings.Contains(err.Error(), "other.csv") {
		t.Errorf("Flush = %v, want other.csv's error", err)
	}
	c.PutLater(other, "text/csv", []byte("12"))
	if err := c.Flush(t.Context()); err != nil {
		t.Errorf("Flush = %v", err)
	}
}

// await waits until nothing is queued, and leaves the errors.
func (u *uploads) await(t *testing.T) {
	t.Helper()
	for {
		u.mu.Lock()
		pending, idle := len(u.order) > 0 || u.busy, u.idle
		u.mu.Unlock()
		if !pending {
			return
		}
		select {
		case <-idle:
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		}
	}
}

func TestPutLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.connect()
	w.server.Close() // nothing is lost while the server is away
	_, stop := c.Start(t.Context())
	defer stop()
	uri := w.spec.OutputPrefix + "/steps.csv"
	for i := range 100 {
		c.PutLater(uri, "text/csv", []byte{byte(i)})
	}
	c.PutLater(w.spec.OutputPrefix+"/empty", "text/csv", nil)
	w.start(w.handler)
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	key := strings.TrimPrefix(uri, "s3://")
	if b, _ := w.objects.get(key); len(b) != 1 || b[0] != 99 {
		t.Errorf("stored %v", b)
	}
	if w.objects.puts > 4 {
		t.Errorf("%d uploads of what was replaced before it was sent", w.objects.puts)
	}
	c.PutLater("s3://in/train.jsonl", "", []byte("x"))
	if err := c.Flush(t.Context()); outcrop.CodeOf(err) != outcrop.CodeAccessDenied {
		t.Errorf("Flush = %v", err)
	}
	if err := c.Flush(t.Context()); err != nil {
		t.Errorf("an error came twice: %v", err)
	}
}

func TestFinish(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		err     error
		model   bool
		epochs  []int // of checkpoints that are reported; the first is there
		code    int
		message string
	}{
		"done":          {model: true, epochs: []int{1}, code: ExitDone},
		"no checkpoint": {model: true, epochs: []int{1, 2}, code: ExitSoftware, message: "no such file"},
		"no model":      {code: ExitSoftware, message: "no such file"},
		"stopped":       {err: exitError(ExitStopped), code: ExitStopped},
		"diverged":      {err: exitError(ExitDiverged), code: ExitDiverged, message: "exit 76"},
		"bad data":      {err: outcrop.Errorf(outcrop.CodeValidation, "line 3: %s", strings.Repeat("é", 2000)), code: ExitBadData, message: "line 3: éé"},
		"crash":         {err: io.ErrUnexpectedEOF, code: ExitSoftware, message: "unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c := w.connect()
			if tc.model {
				writeModel(t, filepath.Join(w.spec.ScratchDir, ModelDir))
				writeModel(t, filepath.Join(w.spec.ScratchDir, EpochDir(1)))
			}
			loss := math.NaN()
			p := outcrop.Progress{Step: 7, TrainingLoss: &loss}
			for _, epoch := range tc.epochs {
				p.Checkpoints = append(p.Checkpoints, outcrop.Checkpoint{Epoch: epoch})
			}
			code := c.Finish(t.Context(), p, tc.err)
			if code != tc.code || len(w.jobs.results) != 1 {
				t.Fatalf("exit code %d, want %d; results %v", code, tc.code, w.jobs.results)
			}
			got := w.jobs.results[0]
			if got.ExitCode != tc.code || got.Attempt != testID.Number || got.Progress.Step != 7 ||
				!strings.Contains(got.Message, tc.message) || len(got.Message) > messageBytesMax || (got.Message == "") != (tc.message == "") {
				t.Errorf("result %+v", got)
			}
			if onDisk, ok := readResult(w.spec.ScratchDir); !ok || !reflect.DeepEqual(onDisk, got) {
				t.Errorf("on disk: %+v, %v", onDisk, ok)
			}
			if tc.code == ExitDone {
				if err := Verify(filepath.Join(w.spec.ScratchDir, ModelDir), got.Manifest); err != nil {
					t.Error(err)
				}
				if err := Verify(filepath.Join(w.spec.ScratchDir, EpochDir(1)), got.Progress.Checkpoints[0].Manifest); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

type exitError int

func (e exitError) Error() string { return "exit " + itoa(int64(e)) }
func (e exitError) ExitCode() int { return int(e) }

func TestFinishWithoutAServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.options()
	o.Patience = time.Millisecond
	c, err := Connect(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	w.server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if code := c.Finish(ctx, outcrop.Progress{}, ctx.Err()); code != ExitTemporary {
		t.Errorf("exit code %d", code)
	}
	if r, ok := readResult(w.spec.ScratchDir); !ok || r.ExitCode != ExitTemporary {
		t.Errorf("result %+v, %v", r, ok)
	}
}

// A copy's server has the port, and the tokens, of the original's, which is gone: the worker of the original
// does not take it for its own. An older program's server, which says nothing of its run, it does.
func TestServerOfAnotherRun(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		file, says string
		own        bool
	}{"own": {"a", "a", true}, "another": {"a", "b", false}, "an older program's": {"", "b", true}, "an older program": {"a", "", true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.start(NewHandler(NewSigner(testKey), w.jobs, w.objects, tc.says, slog.New(slog.DiscardHandler)))
			writeServerFile(t, w.dataDir, `{"url":"`+w.server.URL+`","run":"`+tc.file+`"}`)
			o := w.options()
			o.Patience = 10 * time.Millisecond
			_, err := Connect(t.Context(), o)
			if (err == nil) != tc.own || err != nil && outcrop.CodeOf(err) != outcrop.CodeServiceUnavailable {
				t.Errorf("Connect: %v", err)
			}
		})
	}
}
