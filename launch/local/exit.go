package local

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"outcrop.dev/outcrop/attempt"
)

// child is a worker that this process has started.
type child struct {
	logPath string
	killed  atomic.Bool // by us
	done    chan struct{}
	code    int    // set before done is closed
	how     string // set before done is closed
	outside bool   // set before done is closed: it was ended by somebody else
}

// Killed is the exit code of a worker that was ended from outside, by Kill or by a person.
const Killed = -1

// exitPatience is how long Exit waits for a process that is no longer alive to be reaped.
const exitPatience = 5 * time.Second

// Exit tells how the worker of a handle ended: its exit code, Killed, or
// attempt.ExitOutOfMemory if the kernel ended it for lack of memory; and in words, with the
// line of its log that says most if it ended by itself. ok is false if the worker still runs or was not started
// by this process, which then cannot know.
func (l *Launcher) Exit(ctx context.Context, handle string) (code int, detail string, ok bool) {
	c := l.child(handle)
	if c == nil {
		return 0, "", false
	}
	if alive, err := l.Alive(ctx, handle); alive || err != nil {
		return 0, "", false
	}
	ctx, cancel := context.WithTimeout(ctx, exitPatience)
	defer cancel()
	select {
	case <-c.done:
	case <-ctx.Done():
		return 0, "", false
	}
	detail = c.how
	if c.outside {
		return c.code, detail, true // what it said last has nothing to do with its end
	}
	if said := lastWords(c.logPath); said != "" {
		detail += fmt.Sprintf("; it said: %s", said)
	}
	return c.code, detail, true
}

// end notes how the process ended.
func (c *child) end(state *os.ProcessState, oom bool) {
	defer close(c.done)
	c.code, c.how = state.ExitCode(), state.String()
	status, isStatus := state.Sys().(syscall.WaitStatus)
	if !isStatus || !status.Signaled() {
		return
	}
	switch signal := status.Signal(); {
	case signal == unix.SIGKILL && oom && !c.killed.Load():
		c.code, c.how, c.outside = attempt.ExitOutOfMemory, "killed by the kernel for lack of memory", true
	case signal == unix.SIGKILL || signal == unix.SIGTERM || signal == unix.SIGINT || signal == unix.SIGHUP:
		c.code, c.outside = Killed, true
	default: // a fault of its own: SIGSEGV, SIGABRT, SIGBUS
		c.code = attempt.ExitSoftware
	}
}
