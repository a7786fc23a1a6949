package attempt

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"outcrop.dev/outcrop"
)

var testID = ID{Job: "arn:aws:bedrock:us-east-1:123456789012:model-customization-job/base/abcdefghijkl", Number: 3}

var testKey = bytes.Repeat([]byte{7}, KeyBytes)

// world is a server's side (jobs, objects, HTTP) and the directories that it shares with
// a worker.
type world struct {
	t       *testing.T
	dataDir string
	spec    Spec
	jobs    *fakeJobs
	objects *fakeObjects
	handler http.Handler
	server  *httptest.Server
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{t: t, dataDir: dir, spec: Spec{
		JobARN: testID.Job, JobID: "abcdefghijkl", Attempt: testID.Number, ScratchDir: filepath.Join(dir, "scratch"),
		Grant:     Grant{TrainingURI: "s3://in/train.jsonl", ValidationURIs: []string{"s3://in/val.jsonl"}, OutputPrefix: "s3://out/model-customization-job-abcdefghijkl"},
		Heartbeat: 5 * time.Millisecond, Threads: 2,
		Customization: Customization{
			HyperParameters: map[string]string{"epochCount": "2"}, Train: outcrop.TrainSpec{Epochs: 2, BatchSize: 8}, ModelDir: "/models/base", ContextLength: 512,
		},
	}}
	w.jobs = &fakeJobs{spec: w.spec, command: CommandRun, beats: make(chan Heartbeat, 1000)}
	w.objects = &fakeObjects{objects: map[string][]byte{"in/train.jsonl": []byte("training"), "in/val.jsonl": []byte("validation"), "in/other": []byte("secret")}}
	w.handler = NewHandler(NewSigner(testKey), w.jobs, w.objects, "", slog.New(slog.DiscardHandler))
	if err := os.Mkdir(w.spec.ScratchDir, 0o700); err != nil {
		t.Fatal(err)
	}
	w.start(w.handler)
	return w
}

// start serves h and names it in server.json; a server that ran before is gone.
func (w *world) start(h http.Handler) {
	w.t.Helper()
	w.server = httptest.NewServer(h)
	w.t.Cleanup(w.server.Close)
	b, _ := json.Marshal(map[string]any{"pid": 1, "url": w.server.URL})
	if err := os.WriteFile(filepath.Join(w.dataDir, ServerFile), b, 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) options() Options {
	return Options{DataDir: w.dataDir, Token: NewSigner(testKey).Token(testID), Patience: 10 * time.Second}
}

func (w *world) connect() *Client {
	w.t.Helper()
	c, err := Connect(w.t.Context(), w.options())
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// fakeJobs answers for one attempt.
type fakeJobs struct {
	spec  Spec
	beats chan Heartbeat

	mu      sync.Mutex
	command string
	base    string
	fenced  bool
	failing int // that many calls fail for a reason of the server's own
	results []Result
}

func (j *fakeJobs) set(f func(*fakeJobs)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	f(j)
}

func (j *fakeJobs) check(id ID) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failing > 0 {
		j.failing--
		return io.ErrClosedPipe
	}
	if j.fenced || id != testID {
		return ErrFenced
	}
	return nil
}

func (j *fakeJobs) Spec(_ context.Context, id ID) (Spec, error) { return j.spec, j.check(id) }

func (j *fakeJobs) Grant(_ context.Context, id ID) (Grant, error) { return j.spec.Grant, j.check(id) }

func (j *fakeJobs) Beat(_ context.Context, id ID, h Heartbeat) (Reply, error) {
	if err := j.check(id); err != nil {
		return Reply{}, err
	}
	j.beats <- h
	j.mu.Lock()
	defer j.mu.Unlock()
	return Reply{Command: j.command, Base: j.base}, nil
}

func (j *fakeJobs) Finish(_ context.Context, id ID, r Result) error {
	if err := j.check(id); err != nil {
		return err
	}
	j.set(func(j *fakeJobs) { j.results = append(j.results, r) })
	return nil
}

// fakeObjects is outcrop.Objects in a map of "bucket/key".
type fakeObjects struct {
	mu      sync.Mutex
	objects map[string][]byte
	puts    int
	cut     int // that many reads end early
	discard bool
	gone    bool // the buckets, for Put
}

func (o *fakeObjects) get(name string) ([]byte, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	b, ok := o.objects[name]
	return b, ok
}

func (o *fakeObjects) set(name string, b []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.objects[name] = b
}

func (o *fakeObjects) isGone() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.gone
}

func (o *fakeObjects) setGone(gone bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.gone = gone
}

func (o *fakeObjects) HeadBucket(context.Context, string) error { return nil }

func (o *fakeObjects) Head(context.Context, string, string) (outcrop.ObjectInfo, error) {
	return outcrop.ObjectInfo{}, io.ErrUnexpectedEOF
}

func (o *fakeObjects) Get(_ context.Context, bucket, key string) (io.ReadCloser, outcrop.ObjectInfo, error) {
	b, ok := o.get(bucket + "/" + key)
	if !ok {
		return nil, outcrop.ObjectInfo{}, outcrop.Errorf(outcrop.CodeNotFound, "There is no object %s/%s.", bucket, key)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	var r io.Reader = bytes.NewReader(b)
	if o.cut > 0 {
		o.cut--
		r = io.MultiReader(bytes.NewReader(b[:len(b)/2]), failingReader{})
	}
	return io.NopCloser(r), outcrop.ObjectInfo{Size: int64(len(b))}, nil
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, io.ErrNoProgress }

func (o *fakeObjects) Copy(context.Context, string, string, string, string) (outcrop.ObjectInfo, error) {
	return outcrop.ObjectInfo{}, io.ErrUnexpectedEOF
}

func (o *fakeObjects) Delete(context.Context, string, string) error { return io.ErrUnexpectedEOF }

func (o *fakeObjects) Put(_ context.Context, bucket, key, _ string, r io.Reader) (outcrop.ObjectInfo, error) {
	if o.isGone() {
		return outcrop.ObjectInfo{}, outcrop.Errorf(outcrop.CodeNotFound, "There is no bucket %s.", bucket)
	}
	if o.discard {
		_, err := io.Copy(io.Discard, r)
		return outcrop.ObjectInfo{}, err
	}
	b, err := io.ReadAll(r)
	if err == nil {
		o.set(bucket+"/"+key, b)
		o.puts++
	}
	return outcrop.ObjectInfo{}, err
}

func (o *fakeObjects) List(context.Context, string, string, string, int) ([]outcrop.ObjectInfo, error) {
	return nil, nil
}
