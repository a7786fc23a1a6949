package customize

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/work"
	"outcrop.dev/outcrop/work/attempt"
)

// site is a finished job whose models belong into a directory of another file system.
type site struct {
	t       *testing.T
	scratch string
	models  string
	job     *outcrop.Job
	res     attempt.Result
}

// weightsBytes is the size of the model's largest file.
const weightsBytes = 256 << 10

func newSite(t *testing.T, models string) *site {
	s := &site{t: t, scratch: t.TempDir(), models: models, job: &outcrop.Job{CustomModelID: "model"}}
	s.res.Manifest = s.seal(attempt.ModelDir)
	s.res.Progress.Checkpoints = []outcrop.Checkpoint{{Epoch: 1, Manifest: s.seal(attempt.EpochDir(1))}}
	return s
}

func (s *site) seal(name string) string {
	dir := filepath.Join(s.scratch, name)
	if err := errors.Join(os.MkdirAll(filepath.Join(dir, "below"), 0o700), os.WriteFile(filepath.Join(dir, "below", "weights"), bytes.Repeat([]byte{7}, weightsBytes), 0o600),
		os.WriteFile(filepath.Join(dir, "config"), []byte("x"), 0o600)); err != nil {
		s.t.Fatal(err)
	}
	digest, err := attempt.Seal(dir)
	if err != nil {
		s.t.Fatal(err)
	}
	return digest
}

func (s *site) modelDir(id string) string { return filepath.Join(s.models, id) }

func (s *site) publish() error { return Rules{ModelDir: s.modelDir}.Publish(s.job, s.scratch, s.res) }

// published fails the test unless both models are in their places, whole.
func (s *site) published() {
	s.t.Helper()
	if err := errors.Join(attempt.Verify(s.modelDir("model"), s.res.Manifest),
		attempt.Verify(s.modelDir(s.job.CheckpointID(1)), s.res.Progress.Checkpoints[0].Manifest)); err != nil {
		s.t.Error(err)
	}
}

// elsewhere is a directory on another file system than the temporary ones.
func elsewhere(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "outcrop-test-")
	if err != nil {
		t.Skipf("SKIPPED: there is no second file system: %v", err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	var here, there unix.Stat_t
	if err := errors.Join(unix.Stat(t.TempDir(), &here), unix.Stat(dir, &there)); err != nil || here.Dev == there.Dev {
		t.Skipf("SKIPPED: /dev/shm is no other file system than the temporary directory's: %v", err)
	}
	return dir
}

// models/ is a link to another disk: models are copied there. A copy that was cut off is made again.
func TestPublishOnAnotherDisk(t *testing.T) {
	t.Parallel()
	disk, link := elsewhere(t), filepath.Join(t.TempDir(), "models")
	if err := os.Symlink(disk, link); err != nil {
		t.Fatal(err)
	}
	s := newSite(t, link)
	half := filepath.Join(disk, "model", "below")
	if err := errors.Join(os.MkdirAll(half, 0o700), os.WriteFile(filepath.Join(half, "weights"), []byte("ha"), 0o600), os.WriteFile(filepath.Join(half, "old"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time after a crash before the record
		if err := s.publish(); err != nil {
			t.Fatal(err)
		}
		s.published()
	}
}

// What is damaged is told from what has no place.
func TestPublishDamaged(t *testing.T) {
	t.Parallel()
	s := newSite(t, t.TempDir())
	if err := os.WriteFile(filepath.Join(s.scratch, attempt.ModelDir, "config"), []byte("y"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.publish(); !errors.Is(err, work.ErrDamaged) {
		t.Errorf("a model that has changed: %v", err)
	}
	s = newSite(t, filepath.Join(t.TempDir(), "models"))
	if err := os.WriteFile(s.models, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.publish(); err == nil || errors.Is(err, work.ErrDamaged) {
		t.Errorf("no place: %v", err)
	}
}

// The other disk is full, until somebody makes room: nothing of what was made is lost, and no half
// model takes the room that is left.
func TestPublishOnAFullDisk(t *testing.T) {
	t.Parallel()
	s := newSite(t, t.TempDir())
	mounted := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread alone sees the mount, and ends with it
		err := mountSmall(s.models, weightsBytes*5/4)
		if err == nil {
			s.publishInTime()
		}
		mounted <- err
	}()
	if err := <-mounted; err != nil {
		t.Skipf("SKIPPED: a small file system cannot be mounted: %v", err)
	}
}

// publishInTime publishes two models where there is room for one, and again when there is more.
func (s *site) publishInTime() {
	if err := s.publish(); !errors.Is(err, syscall.ENOSPC) || errors.Is(err, work.ErrDamaged) {
		s.t.Errorf("on a full disk: %v", err)
	}
	if left, err := os.ReadDir(s.models); err != nil || len(left) != 1 {
		s.t.Errorf("%v, %v are left, want the model that has room", left, err)
	}
	err := unix.Mount("", s.models, "", unix.MS_REMOUNT, "size=16m")
	if err = errors.Join(err, s.publish()); err != nil {
		s.t.Error(err)
	}
	s.published()
}

// mountSmall mounts a file system of so many bytes, for the calling thread.
func mountSmall(dir string, size int) error {
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	return unix.Mount("none", dir, "tmpfs", 0, "size="+strconv.Itoa(size))
}
