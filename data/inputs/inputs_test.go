package inputs_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/blob"
	"outcrop.dev/outcrop/data/blob/disk"
	"outcrop.dev/outcrop/data/inputs"
	"outcrop.dev/outcrop/data/store/memory"
)

// world is a store of objects with one of a user's in it, and the rows of jobs.
type world struct {
	*testing.T
	now     time.Time
	blobs   *disk.Store
	objects outcrop.Objects
	rows    outcrop.Store
}

func newWorld(t *testing.T) *world {
	w := &world{T: t, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return w.now }
	var err error
	if w.blobs, err = disk.Open(t.Context(), t.TempDir(), disk.Options{Now: clock, Rand: rand.Reader, Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.blobs.Close() })
	w.objects, w.rows = w.blobs.Objects(), memory.New(clock)
	w.must(w.blobs.CreateBucket(t.Context(), "user", nil))
	_, err = w.objects.Put(t.Context(), "user", "data", "", strings.NewReader("rows"))
	w.must(err)
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) copyTo(key string) {
	w.Helper()
	_, err := w.objects.Copy(w.Context(), "user", "data", outcrop.SystemBucket, key)
	w.must(err)
}

// job writes a job in a state that was accepted with the bytes of some digest.
func (w *world) job(id, sum string, status outcrop.Status) *outcrop.Job {
	w.Helper()
	sc := outcrop.Scope{Account: "123456789012", Region: "us-east-1"}
	j := &outcrop.Job{
		Meta:   outcrop.Meta{Kind: outcrop.KindJob, Scope: sc, ID: id, ARN: sc.ARN(outcrop.KindJob, "base/"+id), Name: id, Status: status},
		Inputs: []outcrop.Input{{URI: "s3://user/data", Size: 4, SHA256: sum}},
	}
	w.must(w.rows.Apply(w.Context(), outcrop.Change{Op: outcrop.OpCreate, Record: j.Record()}))
	return j
}

// has checks which keys there are in the system bucket.
func (w *world) has(want ...string) {
	w.Helper()
	infos, err := w.objects.List(w.Context(), outcrop.SystemBucket, "", "", 100)
	w.must(err)
	var got []string
	for _, info := range infos {
		got = append(got, info.Key)
	}
	if !slices.Equal(got, want) {
		w.Errorf("there are %q, want %q", got, want)
	}
}

// TestSweep: bytes stay as long as a job needs them that has not ended, and for a while without one.
func TestSweep(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	in := inputs.New(w.blobs, w.rows, func() time.Time { return w.now })
	w.must(in.Sweep(t.Context())) // there is no bucket yet
	for _, sum := range []string{"done", "runs", "stops", "nobodys"} {
		w.copyTo(outcrop.BlobKey(sum))
	}
	w.job("1", "runs", outcrop.JobInProgress)
	w.job("2", "stops", outcrop.JobStopping)
	for i, ended := range []outcrop.Status{outcrop.JobCompleted, outcrop.JobFailed, outcrop.JobStopped} {
		w.job(string(rune('a'+i)), "done", ended)
	}
	w.now = w.now.Add(inputs.Young)
	w.must(in.Sweep(t.Context()))
	w.has("blobs/done", "blobs/nobodys", "blobs/runs", "blobs/stops") // at the limit
	w.now = w.now.Add(time.Millisecond)
	w.must(in.Sweep(t.Context()))
	w.has("blobs/runs", "blobs/stops")
	if _, err := w.objects.Head(t.Context(), "user", "data"); err != nil {
		t.Errorf("the user's object: %v", err)
	}
}

// racing is an object store on which something happens between a listing and the first deletion.
type racing struct {
	*disk.Store
	meanwhile func()
}

func (r *racing) Delete(ctx context.Context, bucket, key string, c blob.Condition) error {
	r.meanwhile()
	return r.Store.Delete(ctx, bucket, key, c)
}

// TestSweepSparesWhatIsKeptAgain: while old bytes are about to go, a job is accepted with the same.
func TestSweepSparesWhatIsKeptAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.copyTo(outcrop.BlobKey("same"))
	w.now = w.now.Add(2 * inputs.Young)
	r := &racing{w.blobs, func() {
		w.copyTo(outcrop.BlobKey("same"))
		w.job("1", "same", outcrop.JobInProgress)
	}}
	w.must(inputs.New(r, w.rows, func() time.Time { return w.now }).Sweep(t.Context()))
	w.has("blobs/same")
}

// TestForget: what another server's checks had held goes at the start; what is held since
// stays.
func TestForget(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.copyTo(outcrop.HeldPrefix + "old")
	w.now = w.now.Add(time.Millisecond)
	in := inputs.New(w.blobs, w.rows, func() time.Time { return w.now })
	w.copyTo(outcrop.HeldPrefix + "new")
	w.must(in.Forget(t.Context()))
	w.has("checks/new")
}
