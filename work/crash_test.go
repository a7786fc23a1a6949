package work_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/store/sqlite"
	"outcrop.dev/outcrop/internal/durable"
	"outcrop.dev/outcrop/work"
	"outcrop.dev/outcrop/work/attempt"
	"outcrop.dev/outcrop/work/customize"
	"outcrop.dev/outcrop/work/launch/local"
)

// The test binary is also the server and the worker of the crash test, which kills them.
const roleEnv = "OUTCROP_WORK_CRASH_TEST"

func TestMain(m *testing.M) {
	role, dir, _ := strings.Cut(os.Getenv(roleEnv), " ")
	var err error
	switch role {
	case "server":
		err = crashServer(dir)
	case "worker":
		os.Exit(crashWorker(dir))
	default:
		os.Exit(m.Run())
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// crashServer is the part of a server that jobs need, on a data directory.
func crashServer(dir string) error {
	ctx := context.Background()
	s, err := sqlite.Open(ctx, filepath.Join(dir, "outcrop.db"), time.Now)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	signer := attempt.NewSigner(make([]byte, attempt.KeyBytes))
	launcher := local.New(local.Config{
		Command: []string{os.Args[0]}, DataDir: dir, ScratchRoot: filepath.Join(dir, "scratch"), Log: log,
		Env: []string{roleEnv + "=worker " + dir},
	})
	base := func(context.Context, string) (outcrop.ModelFiles, error) {
		return outcrop.ModelFiles{Dir: dir, ContextLength: 512}, nil
	}
	attempts := work.NewAttempts(s, launcher, signer, nobody{}, work.ProcessOptions{
		ScratchRoot: filepath.Join(dir, "scratch"), Heartbeat: 20 * time.Millisecond, Now: time.Now, Log: log, IdleMax: idleOf(dir),
	})
	rules := customize.Rules{Files: base, ModelDir: func(id string) string { return filepath.Join(dir, "models", id) }}
	supervisor := work.New(s, work.Options{Owner: "server", Log: log}, work.Processes(attempts, rules))
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	info := fmt.Sprintf(`{"pid":%d,"url":"http://%s"}`, os.Getpid(), ln.Addr())
	if err := durable.WriteBytes(filepath.Join(dir, "server.json"), 0o600, []byte(info)); err != nil {
		return err
	}
	go http.Serve(ln, attempt.NewHandler(signer, attempts, files(filepath.Join(dir, "objects")), "", log))
	return supervisor.Run(ctx)
}

type nobody struct{}

func (nobody) Record(context.Context, outcrop.Usage) {}

// crashSteps is how long the worker works, in steps of stepTime.
const (
	crashSteps = 150
	stepTime   = 10 * time.Millisecond
)

// crashWorker "trains": each step's state is the hash of the last, the input and the step.
// It goes on from its last checkpoint, writes losses as it goes, and saves the last state
// as the model.
func crashWorker(dir string) int {
	ctx := context.Background()
	c, err := attempt.Connect(ctx, attempt.Options{DataDir: dir, Token: os.Getenv(attempt.TokenEnv), Stderr: os.Stderr})
	if err != nil {
		return attempt.ExitCode(err)
	}
	working, stop := c.Start(ctx)
	defer stop()
	if code, done := c.Redeliver(working); done {
		return code
	}
	p, err := crashTrain(working, c)
	return c.Finish(working, p, err)
}

type crashState struct {
	Step   int
	Hash   []byte
	Losses string
}

func crashTrain(ctx context.Context, c *attempt.Client) (p outcrop.Progress, err error) {
	spec := c.Spec()
	in, err := c.Get(ctx, spec.TrainingURI)
	if err != nil {
		return p, err
	}
	defer in.Close()
	data, err := io.ReadAll(in)
	if err != nil {
		return p, err
	}
	checkpoint := filepath.Join(spec.ScratchDir, attempt.CheckpointsDir)
	var s crashState
	if b, err := os.ReadFile(checkpoint); err == nil {
		if err := json.Unmarshal(b, &s); err != nil {
			return p, err
		}
	}
	for s.Step < crashSteps {
		if ctx.Err() != nil {
			return p, context.Cause(ctx)
		}
		time.Sleep(stepTime)
		s.advance(data)
		p = outcrop.Progress{Step: s.Step, Steps: crashSteps}
		c.Report(attempt.PhaseTraining, p)
		if s.Step == crashSteps/2 {
			hangInACall(filepath.Dir(filepath.Dir(spec.ScratchDir)))
		}
		if s.Step%10 == 0 {
			c.PutLater(spec.OutputPrefix+"/losses.csv", "text/csv", []byte(s.Losses))
			b, _ := json.Marshal(s)
			if err := durable.WriteBytes(checkpoint, 0o600, b); err != nil {
				return p, err
			}
		}
	}
	// Once more: the attempt that checkpointed the last step may have died before this.
	c.PutLater(spec.OutputPrefix+"/losses.csv", "text/csv", []byte(s.Losses))
	if err := c.Flush(ctx); err != nil {
		return p, err
	}
	model := filepath.Join(spec.ScratchDir, attempt.ModelDir)
	return p, errors.Join(os.MkdirAll(model, 0o700), os.WriteFile(filepath.Join(model, "weights"), s.Hash, 0o600))
}

// hangFile is a named pipe in the data directory of a worker that is to hang, half way.
const hangFile = "hang"

// hangInACall does not return if there is a pipe that nobody reads: as with a disk that does not
// answer, a thread is in a call to the kernel, and the others go on.
func hangInACall(dir string) {
	if f, err := os.OpenFile(filepath.Join(dir, hangFile), os.O_WRONLY, 0); err == nil {
		f.Close()
	}
}

// idleOf is how long a worker may do nothing: not long, where it is to hang.
func idleOf(dir string) time.Duration {
	if _, err := os.Stat(filepath.Join(dir, hangFile)); err != nil {
		return 0
	}
	return time.Second
}

func (s *crashState) advance(data []byte) {
	s.Step++
	h := sha256.Sum256(fmt.Appendf(append(s.Hash, data...), "%d", s.Step))
	s.Hash = h[:]
	s.Losses += fmt.Sprintf("%d,%x\n", s.Step, h[:4])
}

// files is outcrop.Objects in a directory, one file for each object.
type files string

func (f files) path(bucket, key string) string {
	return filepath.Join(string(f), url.PathEscape(bucket+"/"+key))
}

func (f files) HeadBucket(context.Context, string) error { return nil }

func (f files) Head(context.Context, string, string) (outcrop.ObjectInfo, error) {
	return outcrop.ObjectInfo{}, errors.ErrUnsupported
}

func (f files) Get(_ context.Context, bucket, key string) (io.ReadCloser, outcrop.ObjectInfo, error) {
	b, err := os.ReadFile(f.path(bucket, key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, outcrop.ObjectInfo{}, outcrop.Errorf(outcrop.CodeNotFound, "no %s/%s", bucket, key)
	}
	return io.NopCloser(bytes.NewReader(b)), outcrop.ObjectInfo{Size: int64(len(b))}, err
}

func (f files) Put(_ context.Context, bucket, key, _ string, r io.Reader) (outcrop.ObjectInfo, error) {
	return outcrop.ObjectInfo{}, durable.WriteFile(f.path(bucket, key), 0o600, func(w io.Writer) error {
		_, err := io.Copy(w, r)
		return err
	})
}

func (f files) Copy(context.Context, string, string, string, string) (outcrop.ObjectInfo, error) {
	return outcrop.ObjectInfo{}, errors.ErrUnsupported
}

func (f files) Delete(context.Context, string, string) error { return errors.ErrUnsupported }

func (f files) List(context.Context, string, string, string, int) ([]outcrop.ObjectInfo, error) {
	return nil, errors.ErrUnsupported
}

// crashSite is a data directory with one job, seen from outside.
type crashSite struct {
	t      *testing.T
	dir    string
	store  *sqlite.Store
	job    *outcrop.Job
	server *exec.Cmd
}

func newCrashSite(t *testing.T) *crashSite {
	t.Helper()
	c := &crashSite{t: t, dir: t.TempDir()}
	objects := files(filepath.Join(c.dir, "objects"))
	if err := os.Mkdir(string(objects), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := objects.Put(t.Context(), "in", "train.jsonl", "", strings.NewReader("the data")); err != nil {
		t.Fatal(err)
	}
	var err error
	if c.store, err = sqlite.Open(t.Context(), filepath.Join(c.dir, "outcrop.db"), time.Now); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.killServer()
		c.killWorker()
		c.store.Close()
	})
	scope := outcrop.Scope{Account: "123456789012", Region: "us-east-1"}
	c.job = &outcrop.Job{
		Meta: outcrop.Meta{Kind: outcrop.KindJob, Scope: scope, ID: "abcdefghijkl", Name: "crash", Status: outcrop.JobInProgress,
			ARN: scope.ARN(outcrop.KindJob, "base/abcdefghijkl")},
		CustomModelName: "crash", CustomModelID: "mbcdefghijkl", TrainingURI: "s3://in/train.jsonl", OutputURI: "s3://out",
	}
	if err := c.store.Apply(t.Context(), outcrop.Change{Op: outcrop.OpCreate, Record: c.job.Record()}); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *crashSite) serve() {
	c.t.Helper()
	c.server = exec.Command(os.Args[0])
	c.server.Env = append(os.Environ(), roleEnv+"=server "+c.dir)
	if testing.Verbose() {
		c.server.Stderr = os.Stderr
	}
	if err := c.server.Start(); err != nil {
		c.t.Fatal(err)
	}
}

func (c *crashSite) killServer() {
	if c.server != nil {
		c.server.Process.Kill()
		c.server.Wait()
		c.server = nil
	}
}

// killWorker kills the attempt that the row names, if there is one and it still runs.
func (c *crashSite) killWorker() {
	handle := c.row().Attempt.Handle
	if handle == "" {
		return
	}
	l := local.New(local.Config{Command: []string{"none"}, DataDir: c.dir, ScratchRoot: filepath.Join(c.dir, "scratch")})
	if err := l.Kill(context.Background(), handle); err != nil {
		c.t.Error(err)
	}
}

func (c *crashSite) row() *outcrop.Job {
	c.t.Helper()
	rec, err := c.store.Get(context.Background(), outcrop.Key{ARN: c.job.ARN})
	if err != nil {
		c.t.Fatal(err)
	}
	j, err := outcrop.JobOf(rec)
	if err != nil {
		c.t.Fatal(err)
	}
	return j
}

// crashPatience is far more than a run takes on a busy machine.
const crashPatience = 2 * time.Minute

// finish waits for the job's end and returns what it has made: weights and losses.
func (c *crashSite) finish() (weights, losses string) {
	c.t.Helper()
	deadline := time.Now().Add(crashPatience)
	for !c.row().Terminal() {
		if time.Now().After(deadline) {
			c.t.Fatalf("the job does not end: %+v", c.row())
		}
		time.Sleep(10 * time.Millisecond)
	}
	j := c.row()
	if j.Status != outcrop.JobCompleted {
		c.t.Fatalf("%s: %s", j.Status, j.FailureMessage)
	}
	w, err := os.ReadFile(filepath.Join(c.dir, "models", j.CustomModelID, "weights"))
	if err != nil {
		c.t.Fatal(err)
	}
	l, err := os.ReadFile(files(filepath.Join(c.dir, "objects")).path("out", "model-customization-job-abcdefghijkl/losses.csv"))
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.store.Get(context.Background(), outcrop.Key{ARN: j.OutputModelARN}); err != nil {
		c.t.Error(err)
	}
	return string(w), string(l)
}

// Server, worker and both are killed at random moments; the job ends by itself with the
// same weights and losses as one that nobody disturbed.
func TestKilledAtRandom(t *testing.T) {
	t.Parallel()
	calm := newCrashSite(t)
	calm.serve()
	wantWeights, wantLosses := calm.finish()
	calm.killServer()

	stormy := newCrashSite(t)
	stormy.serve()
	for stormy.row().Attempt.Handle == "" {
		time.Sleep(10 * time.Millisecond)
	}
	kills := 0
	for ; !stormy.row().Terminal() && kills < 12; kills++ {
		time.Sleep(time.Duration(rand.IntN(500)) * time.Millisecond)
		onlyWorker, onlyServer := kills%3 == 0, kills%3 == 1
		if !onlyWorker {
			stormy.killServer()
		}
		if !onlyServer {
			stormy.killWorker()
		}
		if !onlyWorker {
			time.Sleep(time.Duration(rand.IntN(100)) * time.Millisecond)
			stormy.serve()
		}
	}
	weights, losses := stormy.finish()
	if weights != wantWeights {
		t.Errorf("after %d kills the weights are %x, want %x", kills, weights, wantWeights)
	}
	if losses != wantLosses {
		t.Errorf("after %d kills the losses are\n%s\nwant\n%s", kills, losses, wantLosses)
	}
	if n := stormy.row().Attempt.Number; n < 2 {
		t.Errorf("%d kills, but only %d attempt", kills, n)
	}
}

// A worker whose server stays away finishes by itself; the next server publishes its model.
func TestWorkerOutlivesItsServer(t *testing.T) {
	t.Parallel()
	c := newCrashSite(t)
	c.serve()
	for c.row().Progress.Step == 0 {
		time.Sleep(10 * time.Millisecond)
	}
	c.killServer()
	time.Sleep(crashSteps * stepTime / 2) // it goes on meanwhile
	if j := c.row(); j.Terminal() || j.Attempt.Number != 1 {
		t.Fatalf("job %+v", j)
	}
	c.serve()
	c.finish()
	if n := c.row().Attempt.Number; n != 1 {
		t.Errorf("%d attempts: the worker was not adopted", n)
	}
}

// A worker that hangs in a call to the kernel lives, and its heartbeats go on: it says in its log
// where it hangs, is ended, and the next attempt goes on; if it hangs no more, to the same end.
func TestHungInACall(t *testing.T) {
	t.Parallel()
	calm := newCrashSite(t)
	calm.serve()
	wantWeights, wantLosses := calm.finish()
	c := newCrashSite(t)
	pipe := filepath.Join(c.dir, hangFile)
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	c.serve()
	log := filepath.Join(c.dir, "scratch", c.job.ID, attempt.LogFile)
	for b := []byte(nil); !bytes.Contains(b, []byte("hangInACall")); b, _ = os.ReadFile(log) {
		if c.row().Terminal() {
			t.Fatalf("no stacks in the log: %s", b)
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := os.Remove(pipe); err != nil {
		t.Fatal(err)
	}
	if weights, losses := c.finish(); weights != wantWeights || losses != wantLosses {
		t.Error("it came to another end")
	}
	if tried := c.row().Attempt; tried.Number != 2 {
		t.Errorf("attempt %+v", tried)
	}
}

// One that hangs in every attempt fails after the third, and the message says where to look.
func TestHungForGood(t *testing.T) {
	t.Parallel()
	c := newCrashSite(t)
	if err := unix.Mkfifo(filepath.Join(c.dir, hangFile), 0o600); err != nil {
		t.Fatal(err)
	}
	c.serve()
	for deadline := time.Now().Add(crashPatience); !c.row().Terminal(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the job does not end: %+v", c.row())
		}
	}
	if j := c.row(); j.Status != outcrop.JobFailed || j.Attempt.Number != work.StallsMax || !strings.Contains(j.FailureMessage, "stacks in the worker's log") {
		t.Errorf("%s after attempt %d: %s", j.Status, j.Attempt.Number, j.FailureMessage)
	}
}

// A data directory is copied while a job's worker lives, and a server started on the copy: both bring the
// job to the same end, the original with the worker that it had.
func TestCopiedWhileAWorkerLives(t *testing.T) {
	t.Parallel()
	c := newCrashSite(t)
	c.serve()
	for c.row().Progress.Step == 0 {
		time.Sleep(10 * time.Millisecond)
	}
	c.killServer() // so that the rows are whole in the copy
	copied := newCrashSite(t)
	if err := copied.store.Close(); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("sh", "-c", `rm -r "$2"/* && cp -a "$1"/. "$2"`, "", c.dir, copied.dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var err error
	if copied.store, err = sqlite.Open(t.Context(), filepath.Join(copied.dir, "outcrop.db"), time.Now); err != nil {
		t.Fatal(err)
	}
	copied.serve()
	weights, losses := copied.finish()
	c.serve()
	if w, l := c.finish(); w != weights || l != losses {
		t.Error("they came to two ends")
	}
	if n := c.row().Attempt.Number; n != 1 {
		t.Errorf("the original had %d attempts", n)
	}
	if n := copied.row().Attempt.Number; n != 2 {
		t.Errorf("the copy had %d attempts, want one of the original's and one of its own", n)
	}
}
