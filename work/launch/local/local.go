// Package local is a launch.Launcher that starts attempts as child processes on this
// machine. A worker is in a session of its own and outlives the server; the next server
// finds it by its handle. It knows nothing of jobs but their ids.
//
// Each job has a scratch directory, ROOT/{job id}. While a worker lives it holds a lock
// (flock) on the file "lock" in it, inherited when it was started, so that two workers
// never write to one scratch directory: Start ends whoever still holds the lock, or finds in it
// the attempt that it was to start. By their locks List finds all workers.
package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"outcrop.dev/outcrop/work/attempt"
	"outcrop.dev/outcrop/work/launch"
)

// Config says how workers are started.
type Config struct {
	Command     []string // program and its first arguments; "--data DIR --job ID --attempt N" follow
	DataDir     string   // the server's data directory, absolute
	ScratchRoot string   // absolute
	Env         []string // environment; the token is added
	Nice        int      // 0 to 19: how far a worker gives way to the server; NiceDefault is a good one
	Log         *slog.Logger
}

// NiceDefault leaves a request to a model that is being served nearly all of the CPU that
// it can use (a weight of 110 against 1,024), and training all the rest.
const NiceDefault = 10

// oomScoreAdj makes the kernel's out-of-memory killer prefer a worker to the server: a
// worker goes on from its checkpoint.
const oomScoreAdj = 500

// Launcher starts workers. It is safe for concurrent use.
type Launcher struct {
	config   Config
	oomKills func() int64

	mu       sync.Mutex
	children map[string]*child // by handle
	order    []string          // handles in children, oldest first
}

// childrenMax bounds what is remembered of workers that have ended. There are at most some
// dozens at once, and how one ended is asked for within seconds.
const childrenMax = 1000

var _ launch.Launcher = (*Launcher)(nil)

// New returns a launcher. It panics if the configuration lacks a command or a directory.
func New(c Config) *Launcher {
	if len(c.Command) == 0 || !filepath.IsAbs(c.DataDir) || !filepath.IsAbs(c.ScratchRoot) {
		panic("local: a command and absolute directories are needed")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Launcher{config: c, oomKills: oomKillCounter(), children: map[string]*child{}}
}

// Start implements launch.Launcher. Errors: a program or directory that cannot be used, and an
// earlier worker that does not die.
func (l *Launcher) Start(ctx context.Context, next launch.Launch) (handle string, err error) {
	if err := next.Check(); err != nil {
		return "", err
	}
	scratch := filepath.Join(l.config.ScratchRoot, next.JobID)
	if err := os.MkdirAll(scratch, 0o700); err != nil {
		return "", err
	}
	lock, running, err := takeLock(ctx, filepath.Join(scratch, lockFile), next)
	if err != nil {
		return "", fmt.Errorf("start attempt %d of job %s: %w", next.Attempt, next.JobID, err)
	}
	if running != "" {
		return running, nil
	}
	defer lock.Close()
	log, err := openLog(filepath.Join(scratch, attempt.LogFile), next.Attempt)
	if err != nil {
		return "", err
	}
	defer log.Close()
	cmd := l.command(next, scratch, lock, log)
	oomBefore := l.oomKills()
	if err := startNice(cmd, l.config.Nice); err != nil {
		return "", fmt.Errorf("start attempt %d of job %s: %w", next.Attempt, next.JobID, err)
	}
	return l.adopt(cmd, log.Name(), oomBefore)
}

func (l *Launcher) command(next launch.Launch, scratch string, lock, log *os.File) *exec.Cmd {
	args := append(l.config.Command[1:len(l.config.Command):len(l.config.Command)],
		"--data", l.config.DataDir, jobFlag, next.JobID, attemptFlag, strconv.Itoa(next.Attempt))
	cmd := exec.Command(l.config.Command[0], args...)
	cmd.Dir = scratch
	cmd.Env = append(l.config.Env[:len(l.config.Env):len(l.config.Env)], attempt.TokenEnv+"="+next.Token)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{lock} // kept open, and so held, as long as the worker lives
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}

// startNice starts cmd with a lower priority from its first instruction: Linux has
// priorities by thread, and a child has that of the thread that forks it. A thread cannot
// take its priority back, so it ends with the goroutine.
func startNice(cmd *exec.Cmd, nice int) error {
	done := make(chan error)
	go func() {
		if nice > 0 {
			runtime.LockOSThread() // never unlocked
			if err := unix.Setpriority(unix.PRIO_PROCESS, 0, max(nice, ownNice())); err != nil {
				done <- fmt.Errorf("set priority: %w", err)
				return
			}
		}
		done <- cmd.Start()
	}()
	return <-done
}

// ownNice is the priority of this thread: a worker never has a better one.
func ownNice() int {
	const bias = 20 // the kernel answers 20-nice, so that no answer looks like an error
	n, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err != nil {
		return 0
	}
	return bias - n
}

// yieldGroup lowers the priority of a worker's session as a whole. Where the kernel groups
// sessions (sched_autogroup_enabled, see sched(7)), they share the CPU alike, and the
// priority of a process counts only inside its own.
func (l *Launcher) yieldGroup(pid int) {
	err := os.WriteFile(procPath(pid, "autogroup"), []byte(strconv.Itoa(max(l.config.Nice, ownNice()))), 0)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.config.Log.Debug("worker's session keeps its priority", "pid", pid, "error", err)
	}
}

// adopt names the new process and waits for its end in the background.
func (l *Launcher) adopt(cmd *exec.Cmd, logPath string, oomBefore int64) (string, error) {
	pid := cmd.Process.Pid
	id, err := identify(pid) // it cannot vanish before it is waited for
	if err != nil {
		cmd.Process.Kill()
		cmd.Wait()
		return "", err
	}
	if err := os.WriteFile(procPath(pid, "oom_score_adj"), []byte(strconv.Itoa(oomScoreAdj)), 0); err != nil {
		l.config.Log.Debug("worker keeps its out-of-memory score", "pid", pid, "error", err)
	}
	l.yieldGroup(pid)
	c := &child{logPath: logPath, done: make(chan struct{})}
	handle := id.String()
	l.remember(handle, c)
	go func() {
		cmd.Wait() // what it says is in ProcessState
		c.end(cmd.ProcessState, l.oomKills() > oomBefore)
	}()
	return handle, nil
}

func (l *Launcher) remember(handle string, c *child) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.children[handle] = c
	l.order = append(l.order, handle)
	if len(l.order) > childrenMax {
		delete(l.children, l.order[0])
		l.order = l.order[1:]
	}
}

// Kill implements launch.Launcher. A worker of another data directory is left alone.
func (l *Launcher) Kill(ctx context.Context, handle string) error {
	id, err := parseIdentity(handle)
	if err != nil {
		return err
	}
	if c := l.child(handle); c != nil {
		c.killed.Store(true)
	}
	ours, err := l.runs(handle, id)
	if err != nil || !ours {
		return err
	}
	return id.kill(ctx)
}

func (l *Launcher) child(handle string) *child {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.children[handle]
}
