// Package harness runs the outcrop program for end-to-end tests: it builds the binary once,
// starts servers on free ports of 127.0.0.1, hands out AWS SDK configurations for them, and
// can kill them as a crash would.
package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/bedrock"
)

// startTimeout bounds the time from the start of a server to its first answer.
const startTimeout = 60 * time.Second

// stopTimeout bounds an orderly end: the server lets requests in flight finish.
const stopTimeout = 30 * time.Second

// Build compiles the program into dir and returns its path. OUTCROP_E2E_BINARY names one
// that is to be used instead.
func Build(dir string) (string, error) {
	if bin := os.Getenv("OUTCROP_E2E_BINARY"); bin != "" {
		return filepath.Abs(bin)
	}
	bin := filepath.Join(dir, "outcrop")
	cmd := exec.Command("go", "build", "-o", bin, "outcrop.dev/outcrop/cmd/outcrop")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return bin, nil
}

// Main is the TestMain of an end-to-end package: it builds the program, runs the tests, and
// removes what it built. bin is set before the tests run.
func Main(m *testing.M, bin *string) {
	dir, err := os.MkdirTemp("", "outcrop-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	*bin, err = Build(dir)
	code := 1
	if err == nil {
		code = m.Run()
	} else {
		fmt.Fprintln(os.Stderr, "build outcrop:", err)
	}
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// A Server is a running outcrop serve.
type Server struct {
	Bin, Dir string
	t        testing.TB
	cmd      *exec.Cmd
	log      *lockedBuffer
	env      map[string]string
}

// Start starts a server on dir and waits until it answers. The test ends it.
func Start(t testing.TB, bin, dir string) *Server {
	t.Helper()
	s := &Server{Bin: bin, Dir: dir, t: t, log: &lockedBuffer{}}
	s.Restart()
	t.Cleanup(func() {
		s.Stop()
		s.KillWorkers() // a test that failed may leave some
		if t.Failed() {
			t.Logf("the server's log:\n%s", s.log)
		}
	})
	return s
}

// Restart starts the program again on the same directory, after Kill or Stop.
func (s *Server) Restart() {
	s.t.Helper()
	s.launch()
	if err := s.awaitAnswer(); err != nil {
		s.t.Fatalf("the server does not answer: %v\n%s", err, s.log)
	}
}

// RestartAndKill starts the program again and ends it as a crash would, after a while: most likely
// while it recovers from the crash before.
func (s *Server) RestartAndKill(after time.Duration) {
	s.t.Helper()
	s.launch()
	time.Sleep(after)
	s.Kill()
}

func (s *Server) launch() {
	s.t.Helper()
	s.cmd = exec.Command(s.Bin, "serve", "--data", s.Dir, "--listen", "127.0.0.1:0")
	s.cmd.Env = cleanEnvironment(nil)
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
}

// PID is the server's process id.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Kill ends the server as a crash would. Its workers live on.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

// Stop ends the server in an orderly way.
func (s *Server) Stop() { s.end(syscall.SIGTERM) }

func (s *Server) end(signal syscall.Signal) {
	if s.cmd == nil {
		return
	}
	// The process may have died by itself: then there is nothing to end.
	_ = s.cmd.Process.Signal(signal)
	timer := time.AfterFunc(stopTimeout, func() { _ = s.cmd.Process.Kill() })
	_ = s.cmd.Wait() // a killed process's status is no news
	timer.Stop()
	s.cmd = nil
}

// KillWorkers ends the workers of this server's data directory as a crash would, and says how many.
func (s *Server) KillWorkers() (ended int) {
	for _, pid := range s.Workers() {
		// One that has just ended by itself is no victim, and no matter.
		if syscall.Kill(pid, syscall.SIGKILL) == nil {
			ended++
		}
	}
	return ended
}

// Workers finds the processes that run this binary as workers of this data directory: a
// server can die while its workers live, so that they are nobody's children.
func (s *Server) Workers() (pids []int) {
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, dir := range processes {
		exe, err := os.Readlink(filepath.Join(dir, "exe"))
		if err != nil || exe != s.Bin { // not ours, or gone meanwhile
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err == nil && s.isWorker(dir) {
			pids = append(pids, pid)
		}
	}
	return pids
}

func (s *Server) isWorker(process string) bool {
	command, err := os.ReadFile(filepath.Join(process, "cmdline"))
	return err == nil && bytes.Contains(command, []byte("\x00worker\x00")) && bytes.Contains(command, []byte("\x00"+s.Dir+"\x00"))
}

// awaitAnswer waits for the address file of this very process, and for an answer there.
func (s *Server) awaitAnswer() error {
	var last error
	for began := time.Now(); time.Since(began) < startTimeout; time.Sleep(20 * time.Millisecond) {
		if last = s.readEnvironment(); last != nil {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		_, last = bedrock.NewFromConfig(s.Config()).ListFoundationModels(ctx, &bedrock.ListFoundationModelsInput{})
		cancel()
		if last == nil {
			return nil
		}
	}
	return last
}

func (s *Server) readEnvironment() error {
	b, err := os.ReadFile(filepath.Join(s.Dir, "server.json"))
	if err != nil {
		return err
	}
	var info struct{ PID int }
	if err := json.Unmarshal(b, &info); err != nil || info.PID != s.cmd.Process.Pid {
		return errors.Join(err, fmt.Errorf("server.json is process %d's, not %d's", info.PID, s.cmd.Process.Pid))
	}
	out, err := s.Outcrop("env", "--output", "json").Output()
	if err != nil {
		return fmt.Errorf("outcrop env: %w", err)
	}
	s.env = map[string]string{}
	return json.Unmarshal(out, &s.env)
}

// Config returns the AWS SDK's configuration for this server.
func (s *Server) Config() aws.Config {
	return aws.Config{
		Region:       s.env["AWS_REGION"],
		BaseEndpoint: aws.String(s.env["AWS_ENDPOINT_URL"]),
		Credentials:  credentials.NewStaticCredentialsProvider(s.env["AWS_ACCESS_KEY_ID"], s.env["AWS_SECRET_ACCESS_KEY"], ""),
	}
}

// Environ returns an environment in which any AWS SDK speaks to this server.
func (s *Server) Environ() []string { return cleanEnvironment(s.env) }

// Outcrop returns the program with arguments, set on this server's data directory.
func (s *Server) Outcrop(args ...string) *exec.Cmd {
	cmd := exec.Command(s.Bin, append(args, "--data", s.Dir)...)
	cmd.Env = cleanEnvironment(nil)
	return cmd
}

// cleanEnvironment is this process's environment with its AWS_ and OUTCROP_ variables
// replaced by extra, and with nothing for an SDK to read beside them.
func cleanEnvironment(extra map[string]string) []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "AWS_") && !strings.HasPrefix(v, "OUTCROP_") {
			env = append(env, v)
		}
	}
	for name, value := range extra {
		env = append(env, name+"="+value)
	}
	return append(env, "AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null")
}

// lockedBuffer collects the output of a process.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
