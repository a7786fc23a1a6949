package local

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"outcrop.dev/outcrop/work/attempt"
	"outcrop.dev/outcrop/work/launch"
)

// child is a worker that this process has started.
type child struct {
	logPath string
	killed  atomic.Bool // by us
	done    chan struct{}
	state   launch.State // set before done is closed
}

// exitPatience is how long State waits for a process that is no longer alive to be reaped.
const exitPatience = 5 * time.Second

// State implements launch.Launcher. How a worker has ended is known if this process has started
// it; one that another server has started is Gone, and so is a worker of another data directory, in
// whose copy the handle was found. Code is attempt.ExitOutOfMemory if the kernel
// ended it for lack of memory. Detail has the line of its log that says most, if it ended by itself.
func (l *Launcher) State(ctx context.Context, handle string) (launch.State, error) {
	id, err := parseIdentity(handle)
	if err != nil {
		return launch.State{}, err
	}
	ours, err := l.runs(handle, id)
	if err != nil {
		return launch.State{}, fmt.Errorf("state of process %d: %w", id.pid, err)
	}
	if ours {
		return launch.State{Phase: launch.Running}, nil
	}
	c := l.child(handle)
	if c == nil {
		return launch.State{Phase: launch.Gone}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, exitPatience)
	defer cancel()
	select {
	case <-c.done:
		return c.state, nil
	case <-ctx.Done():
		return launch.State{}, fmt.Errorf("process %d has ended and how is not known yet: %w", id.pid, ctx.Err())
	}
}

// end notes how the process ended.
func (c *child) end(state *os.ProcessState, oom bool) {
	defer close(c.done)
	c.state = c.ending(state, oom)
	if c.state.Killed || c.state.Code == attempt.ExitOutOfMemory {
		return // what it said last has nothing to do with its end
	}
	if said := lastWords(c.logPath); said != "" {
		c.state.Detail += fmt.Sprintf("; it said: %s", said)
	}
}

func (c *child) ending(state *os.ProcessState, oom bool) launch.State {
	s := launch.State{Phase: launch.Ended, Code: state.ExitCode(), Detail: state.String()}
	status, isStatus := state.Sys().(syscall.WaitStatus)
	if !isStatus || !status.Signaled() {
		return s
	}
	switch signal := status.Signal(); {
	case signal == unix.SIGKILL && oom && !c.killed.Load():
		s.Code, s.Detail = attempt.ExitOutOfMemory, "killed by the kernel for lack of memory"
	case signal == unix.SIGKILL || signal == unix.SIGTERM || signal == unix.SIGINT || signal == unix.SIGHUP:
		s.Code, s.Killed = attempt.ExitTemporary, true
	default: // a fault of its own: SIGSEGV, SIGABRT, SIGBUS
		s.Code = attempt.ExitSoftware
	}
	return s
}
