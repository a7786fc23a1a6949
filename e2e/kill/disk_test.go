package kill

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/bedrock/types"

	"outcrop.dev/outcrop/e2e/harness"
	"outcrop.dev/outcrop/internal/trials"
)

// calls are what a worker asks of the disk, and errors what the disk may answer.
var (
	calls = map[string]string{
		"fsync": "fsync,fdatasync", "write": "write,pwrite64", "rename": "rename,renameat,renameat2", "open": "openat", "unlink": "unlink,unlinkat",
	}
	diskErrors = []string{"EIO", "ENOSPC"}
)

// failing is a job of a second or two.
var failing = harness.Tuning{Base: "outcrop.pebble-v1", Rows: 60, Validation: 8, Epochs: 1, Batch: 8, LearningRate: "0.0005"}

// TestFailingDisk: each call of a worker fails in turn, the Nth of each of its threads; the job ends as
// one whose disk is well.
func TestFailingDisk(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("SKIPPED, strace is missing, with which calls are made to fail: ", err)
	}
	s := harness.Start(t, bin, t.TempDir())
	if job, err := harness.AwaitJob(t.Context(), s, start(t, s, failing, "undisturbed"), jobTimeout); err != nil || job.Status != types.ModelCustomizationJobStatusCompleted {
		t.Fatalf("the undisturbed job: %+v, %v", job, err)
	}
	want, injected := resultOf(t, s, "undisturbed"), 0
	for n := 1; n <= trials.N(1, 20); n++ {
		for call, names := range calls {
			for _, failure := range diskErrors {
				t.Run(fmt.Sprintf("%s-%s-%d", call, failure, n), func(t *testing.T) {
					tuning := failing
					tuning.Name = lastPart(t.Name())
					arn := tuning.Create(t, s)
					count := inject(t, s, strace, fmt.Sprintf("inject=%s:error=%s:when=%d", names, failure, n))
					job, err := harness.AwaitJob(t.Context(), s, arn, jobTimeout)
					if err != nil || job.Status != types.ModelCustomizationJobStatusCompleted {
						t.Fatalf("%v\n%+v", err, job)
					}
					compare(t, tuning.Name, want, resultOf(t, s, tuning.Name))
					c := count()
					t.Logf("%d calls failed", c)
					injected += c
				})
			}
		}
	}
	t.Logf("%d calls failed", injected)
	if injected == 0 {
		t.Error("no call failed: this test shows nothing")
	}
}

// inject makes calls of the next worker fail, and returns a function that waits for its end and says
// how many did.
func inject(t *testing.T, s *harness.Server, strace, rule string) (count func() int) {
	t.Helper()
	var pids []int
	for began := time.Now(); len(pids) == 0; time.Sleep(time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatal("no worker")
		}
		pids = s.Workers()
	}
	log := filepath.Join(t.TempDir(), "strace")
	traced, _, _ := strings.Cut(strings.TrimPrefix(rule, "inject="), ":")
	cmd := exec.Command(strace, "-f", "-qq", "-o", log, "-e", "trace="+traced, "-e", rule, "-p", fmt.Sprint(pids[0]))
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() int {
		timer := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Signal(syscall.SIGTERM) })
		_ = cmd.Wait() // its status is the worker's
		timer.Stop()
		if strings.Contains(said.String(), "Operation not permitted") {
			t.Skip("SKIPPED, strace may not trace here: ", said.String())
		}
		b, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Count(b, []byte("(INJECTED)"))
	}
}
