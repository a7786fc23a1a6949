package work_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/store/memory"
	"outcrop.dev/outcrop/work"
	"outcrop.dev/outcrop/work/attempt"
	"outcrop.dev/outcrop/work/customize"
	"outcrop.dev/outcrop/work/launch"
)

var (
	scope  = outcrop.Scope{Account: "123456789012", Region: "us-east-1"}
	signer = attempt.NewSigner(make([]byte, attempt.KeyBytes))
)

// world is a supervisor of jobs with a store in memory and processes that only exist on paper, in
// a synctest bubble: time passes when everybody waits.
type world struct {
	t        *testing.T
	dir      string
	store    *faultyStore
	launcher *fakeLauncher
	s        *work.Supervisor
	a        *work.Attempts
	slots    int

	mu    sync.Mutex
	usage []outcrop.Usage
	end   func() // ends Run and waits for it
}

// in runs f with a world in a bubble.
func in(t *testing.T, f func(w *world)) {
	t.Helper()
	t.Parallel()
	bubble(t, f)
}

// bubble is in for one of many bubbles of one test.
func bubble(t *testing.T, f func(w *world)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, dir: dir, store: &faultyStore{Store: memory.New(time.Now)}, launcher: newFakeLauncher(dir)}
		t.Cleanup(func() {
			if w.end != nil {
				w.end()
			}
		})
		f(w)
	})
}

// serve begins to run a supervisor: a new server on the same directory.
func (w *world) serve() {
	w.t.Helper()
	w.server("this server")
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	s := w.s
	go func() { done <- s.Run(ctx) }()
	w.end = func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("Run: %v", err)
		}
		w.end = nil
	}
	synctest.Wait()
}

// server makes the supervisor of a server.
func (w *world) server(owner string) {
	w.a = work.NewAttempts(w.store, w.launcher, signer, w, work.ProcessOptions{ScratchRoot: filepath.Join(w.dir, "scratch"), Slots: w.slots, Now: time.Now})
	w.s = work.New(w.store, work.Options{Owner: owner}, work.Processes(w.a, rulesOf(w)))
}

func rulesOf(w *world) work.Rules[*outcrop.Job] {
	return customize.Rules{Files: w.base, ModelDir: w.modelDir}
}

// restart ends the server and starts the next one after a while.
func (w *world) restart(after time.Duration) {
	w.t.Helper()
	w.end()
	time.Sleep(after)
	w.serve()
}

func (w *world) modelDir(id string) string { return filepath.Join(w.dir, "models", id) }

func (w *world) base(context.Context, string) (outcrop.ModelFiles, error) {
	return outcrop.ModelFiles{Dir: "/models/base", ContextLength: 512}, nil
}

// Record implements outcrop.Meter.
func (w *world) Record(_ context.Context, u outcrop.Usage) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.usage = append(w.usage, u)
}

// newJob is a job as CreateModelCustomizationJob writes it.
func newJob(name string) *outcrop.Job {
	id := fmt.Sprintf("%s%0*d", name, 12-len(name), 0)
	return &outcrop.Job{
		Meta: outcrop.Meta{
			Kind: outcrop.KindJob, Scope: scope, ID: id, Name: "job-" + name, Status: outcrop.JobInProgress,
			Parent: string(scope.ARN(outcrop.KindFoundationModel, "outcrop.pebble-v1")),
			ARN:    scope.ARN(outcrop.KindJob, "outcrop.pebble-v1/"+id),
		},
		CustomModelName: "model-" + name, CustomModelID: "m" + id[1:], BaseModelID: "outcrop.pebble-v1",
		BaseModelARN: scope.ARN(outcrop.KindFoundationModel, "outcrop.pebble-v1"), CustomizationType: "FINE_TUNING",
		TrainingURI: "s3://data/train.jsonl", OutputURI: "s3://out/", HyperParameters: map[string]string{"epochCount": "2"}, Train: outcrop.TrainSpec{Epochs: 2, KeepCheckpoints: 1},
		CustomModelTags: map[string]string{"k": "v"},
	}
}

func (w *world) create(j *outcrop.Job) *outcrop.Job {
	w.t.Helper()
	w.apply(j.Record())
	w.notify()
	return j
}

func (w *world) apply(rec outcrop.Record) {
	w.t.Helper()
	if err := w.store.Apply(context.Background(), outcrop.Change{Op: outcrop.OpCreate, Record: rec}); err != nil {
		w.t.Fatal(err)
	}
}

// notify tells the reconciler, if one runs, and lets it do what it can do at once.
func (w *world) notify() {
	if w.end != nil {
		w.s.Notify()
		synctest.Wait()
	}
}

func (w *world) job(j *outcrop.Job) *outcrop.Job {
	w.t.Helper()
	rec, err := w.store.Store.Get(context.Background(), outcrop.Key{ARN: j.ARN})
	if err != nil {
		w.t.Fatal(err)
	}
	got, err := outcrop.JobOf(rec)
	if err != nil {
		w.t.Fatal(err)
	}
	return got
}

// is checks a job's status and returns it.
func (w *world) is(j *outcrop.Job, status outcrop.Status) *outcrop.Job {
	w.t.Helper()
	got := w.job(j)
	if got.Status != status {
		w.t.Fatalf("the job is %s (%s), want %s", got.Status, got.FailureMessage, status)
	}
	return got
}

// stop does what StopModelCustomizationJob does.
func (w *world) stop(j *outcrop.Job) {
	w.t.Helper()
	got := w.job(j)
	got.Status = outcrop.JobStopping
	got.Lease = outcrop.Lease{}
	if err := w.store.Store.Apply(context.Background(), outcrop.Change{Op: outcrop.OpUpdate, Record: got.Record()}); err != nil {
		w.t.Fatal(err)
	}
	w.notify()
}

func (w *world) scratch(j *outcrop.Job) string { return filepath.Join(w.dir, "scratch", j.ID) }

// A process is the present attempt of a job, as the worker in it would act.
type process struct {
	w  *world
	j  *outcrop.Job
	id attempt.ID
}

// process returns the living attempt of a job, which must be number n.
func (w *world) process(j *outcrop.Job, n int) process {
	w.t.Helper()
	a := w.job(j).Attempt
	if a.Number != n || !w.launcher.alive(a.Handle) {
		w.t.Fatalf("attempt %+v, want a living number %d", a, n)
	}
	return process{w: w, j: j, id: attempt.ID{Job: j.ARN, Number: n}}
}

func (p process) beat(phase string, progress outcrop.Progress) (string, error) {
	reply, err := p.w.a.Beat(context.Background(), p.id, attempt.Heartbeat{Phase: phase, Progress: progress})
	synctest.Wait()
	return reply.Command, err
}

// step reports a step of training.
func (p process) step(n int) string {
	p.w.t.Helper()
	command, err := p.beat(attempt.PhaseTraining, outcrop.Progress{Step: n, Steps: 100, Tokens: int64(n) * 10})
	if err != nil {
		p.w.t.Fatal(err)
	}
	return command
}

// exit ends the process as the launcher sees it.
func (p process) exit(code int, detail string) {
	p.w.launcher.end(p.w.job(p.j).Attempt.Handle, code, detail)
}

// finish leaves a result and ends the process; with ExitDone it leaves a sealed model.
func (p process) finish(code int, message string) {
	p.w.t.Helper()
	if err := p.result(code, message); err != nil {
		p.w.t.Fatal(err)
	}
	p.exit(code, "")
	time.Sleep(work.ExitPoll)
	synctest.Wait()
}

// fail leaves the result of work that ended with err, and ends the process.
func (p process) fail(err error) {
	p.w.t.Helper()
	res := attempt.ResultOf(p.id.Number, trained(), err)
	if err := p.deliver(res); err != nil {
		p.w.t.Fatal(err)
	}
	p.exit(res.ExitCode, "")
	time.Sleep(work.ExitPoll)
	synctest.Wait()
}

// trained is how far the work of a result is.
func trained() outcrop.Progress {
	loss := 1.25
	return outcrop.Progress{Step: 100, Steps: 100, Tokens: 1000, TrainingLoss: &loss, ValidationLosses: []float64{1.5}}
}

func (p process) result(code int, message string) error {
	res := attempt.Result{Attempt: p.id.Number, ExitCode: code, Message: message, Progress: trained()}
	if code == attempt.ExitDone {
		p.w.models(p.j, &res)
	}
	return p.deliver(res)
}

func (p process) deliver(res attempt.Result) error {
	err := p.w.a.Finish(context.Background(), p.id, res)
	synctest.Wait()
	return err
}

// models leaves a job's model and one of its checkpoints, as res then says.
func (w *world) models(j *outcrop.Job, res *attempt.Result) {
	w.t.Helper()
	res.Manifest = w.seal(j, attempt.ModelDir)
	res.Progress.Checkpoints = []outcrop.Checkpoint{{Epoch: 1, Step: 50, TrainingLoss: new(float64), Manifest: w.seal(j, attempt.EpochDir(1))}}
}

// seal writes a sealed model into a directory of a job's scratch directory.
func (w *world) seal(j *outcrop.Job, name string) (digest string) {
	w.t.Helper()
	dir := filepath.Join(w.scratch(j), name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "model.safetensors"), []byte("weights"), 0o600); err != nil {
		w.t.Fatal(err)
	}
	digest, err := attempt.Seal(dir)
	if err != nil {
		w.t.Fatal(err)
	}
	return digest
}

// completed checks everything that a completed job leaves behind.
func (w *world) completed(j *outcrop.Job) *outcrop.CustomModel {
	w.t.Helper()
	got := w.is(j, outcrop.JobCompleted)
	rec, err := w.store.Store.Get(context.Background(), outcrop.Key{ARN: got.OutputModelARN})
	if err != nil {
		w.t.Fatalf("the model %q: %v", got.OutputModelARN, err)
	}
	m, err := outcrop.CustomModelOf(rec)
	if err != nil {
		w.t.Fatal(err)
	}
	rec, err = w.store.Store.Get(context.Background(), outcrop.Key{Kind: outcrop.KindCustomModel, Scope: j.Scope, Ref: j.CheckpointName(1)})
	if err != nil {
		w.t.Fatalf("the checkpoint: %v", err)
	}
	c, err := outcrop.CustomModelOf(rec)
	if err != nil || c.ID != j.CheckpointID(1) || !strings.HasSuffix(string(c.ARN), "/"+c.ID) || *c.TrainingLoss != 0 || c.JobARN != j.ARN || c.Status != outcrop.ModelActive {
		w.t.Errorf("checkpoint %+v, %v", c, err)
	}
	for _, id := range []string{m.ID, c.ID} {
		if b, err := os.ReadFile(filepath.Join(w.modelDir(id), "model.safetensors")); err != nil || string(b) != "weights" {
			w.t.Errorf("weights %q, %v", b, err)
		}
	}
	if _, err := os.Stat(w.scratch(j)); err == nil {
		w.t.Error("the scratch directory is still there")
	}
	for _, p := range []outcrop.Phase{got.Validation, got.DataProcessing, got.Training} {
		if p.Status != outcrop.PhaseCompleted {
			w.t.Errorf("phase %+v of a completed job", p)
		}
	}
	return m
}

// fakeLauncher keeps a list of processes.
type fakeLauncher struct {
	dir       string
	mu        sync.Mutex
	processes map[string]*fakeProcess
	starts    []launch.Launch
	failing   error
	kills     int
}

type fakeProcess struct {
	alive  bool
	known  bool // how it ended
	killed bool // by somebody else
	code   int
	detail string
}

func newFakeLauncher(dir string) *fakeLauncher {
	return &fakeLauncher{dir: dir, processes: map[string]*fakeProcess{}}
}

func (l *fakeLauncher) Start(_ context.Context, begin launch.Launch) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.starts = append(l.starts, begin)
	if l.failing != nil {
		return "", l.failing
	}
	if err := os.MkdirAll(filepath.Join(l.dir, "scratch", begin.JobID), 0o700); err != nil {
		return "", err
	}
	handle := fmt.Sprintf("%s/%d", begin.JobID, begin.Attempt)
	if p := l.processes[handle]; p != nil && p.alive {
		return handle, nil
	}
	for other, p := range l.processes { // one worker for each scratch directory
		if p.alive && strings.HasPrefix(other, begin.JobID+"/") {
			p.alive = false
		}
	}
	l.processes[handle] = &fakeProcess{alive: true}
	return handle, nil
}

func (l *fakeLauncher) alive(handle string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.processes[handle]
	return p != nil && p.alive
}

func (l *fakeLauncher) State(_ context.Context, handle string) (launch.State, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch p := l.processes[handle]; {
	case p == nil || !p.alive && !p.known:
		return launch.State{Phase: launch.Gone}, nil
	case p.alive:
		return launch.State{Phase: launch.Running}, nil
	default:
		return launch.State{Phase: launch.Ended, Code: p.code, Detail: p.detail, Killed: p.killed}, nil
	}
}

func (l *fakeLauncher) Kill(_ context.Context, handle string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.processes[handle]; p != nil && p.alive {
		*p = fakeProcess{known: true, killed: true, detail: "signal: killed"}
		l.kills++
	}
	return nil
}

func (l *fakeLauncher) List(context.Context) (handles []string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for handle, p := range l.processes {
		if p.alive {
			handles = append(handles, handle)
		}
	}
	return handles, nil
}

// end ends a process by itself; the server knows how.
func (l *fakeLauncher) end(handle string, code int, detail string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.processes[handle]; p != nil {
		*p = fakeProcess{known: true, killed: code == work.CodeUnknown, code: code, detail: detail}
	}
}

// vanish ends a process unseen.
func (l *fakeLauncher) vanish(handle string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.processes[handle].alive = false
}

func (l *fakeLauncher) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.starts)
}

// faultyStore fails when it is told to, and counts writes.
type faultyStore struct {
	*memory.Store
	hooks  sync.Mutex
	mu     sync.Mutex
	writes int
	fault  func(op string) error // nil for none; its error comes instead of the call
	after  func(op string) error // its error comes although the call has been made
}

func (s *faultyStore) hook(f func(string) error, op string) error {
	if f == nil {
		return nil
	}
	s.hooks.Lock() // the hooks of tests count
	defer s.hooks.Unlock()
	return f(op)
}

func (s *faultyStore) written() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writes
}

func (s *faultyStore) do(op string, call func() error) error {
	s.mu.Lock()
	fault, after := s.fault, s.after
	if op == "apply" {
		s.writes++
	}
	s.mu.Unlock()
	if err := s.hook(fault, op); err != nil {
		return err
	}
	if err := call(); err != nil {
		return err
	}
	return s.hook(after, op)
}

func (s *faultyStore) set(f func(*faultyStore)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

func (s *faultyStore) Get(ctx context.Context, key outcrop.Key) (rec outcrop.Record, err error) {
	err = s.do("get", func() (err error) { rec, err = s.Store.Get(ctx, key); return err })
	return rec, err
}

func (s *faultyStore) Apply(ctx context.Context, changes ...outcrop.Change) error {
	return s.do("apply", func() error { return s.Store.Apply(ctx, changes...) })
}

func (s *faultyStore) Claim(ctx context.Context, kind outcrop.Kind, statuses []outcrop.Status, owner string, ttl time.Duration) (rec outcrop.Record, ok bool, err error) {
	err = s.do("claim", func() (err error) { rec, ok, err = s.Store.Claim(ctx, kind, statuses, owner, ttl); return err })
	return rec, ok && err == nil, err
}

func (s *faultyStore) Renew(ctx context.Context, arn outcrop.ARN, fence int64, ttl time.Duration) error {
	return s.do("renew", func() error { return s.Store.Renew(ctx, arn, fence, ttl) })
}

// body is a record's JSON, to compare.
func body(r outcrop.Record) string {
	b, _ := json.Marshal(r)
	return string(b)
}
