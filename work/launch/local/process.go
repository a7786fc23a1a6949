package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// identity names a process so that another one, which has its pid later, is not taken for
// it: by its start time, in ticks since the machine's boot, and by that boot.
type identity struct {
	pid   int
	start uint64
	boot  string
}

// handlePrefix and the form local:{boot id}:{pid}:{start} make up a handle.
const handlePrefix = "local"

func (id identity) String() string {
	return fmt.Sprintf("%s:%s:%d:%d", handlePrefix, id.boot, id.pid, id.start)
}

func parseIdentity(handle string) (identity, error) {
	bad := fmt.Errorf("%q is not a handle of this launcher", handle)
	f := strings.Split(handle, ":")
	if len(f) != 4 || f[0] != handlePrefix {
		return identity{}, bad
	}
	pid, err := strconv.Atoi(f[2])
	if err != nil || pid <= 1 {
		return identity{}, bad
	}
	start, err := strconv.ParseUint(f[3], 10, 64)
	if err != nil {
		return identity{}, bad
	}
	return identity{pid: pid, start: start, boot: f[1]}, nil
}

// identify returns the identity of a process that exists.
func identify(pid int) (identity, error) {
	boot, err := bootID()
	if err != nil {
		return identity{}, err
	}
	_, start, err := readStat(pid)
	return identity{pid: pid, start: start, boot: boot}, err
}

func bootID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b)), err
}

// alive reports whether the process runs. One that has ended and is not yet waited for
// does not.
func (id identity) alive() bool {
	if boot, err := bootID(); err != nil || boot != id.boot {
		return err != nil
	}
	state, start, err := readStat(id.pid)
	if err != nil {
		return !vanished(err)
	}
	return start == id.start && state != 'Z' && state != 'X'
}

// vanished reports whether err says that there is no such process.
func vanished(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH)
}

// How long and how often kill looks whether the process is gone. A process that is in the
// middle of a write to a slow disk takes a while to die.
const (
	killPatience = 10 * time.Second
	killPoll     = 5 * time.Millisecond
)

// kill ends the process, through a descriptor that cannot come to mean another one, and
// waits until it is gone.
func (id identity) kill(ctx context.Context) error {
	fd, err := unix.PidfdOpen(id.pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("kill %d: %w", id.pid, err)
	}
	defer unix.Close(fd)
	if !id.alive() { // the pid is another process's, or a zombie's
		return nil
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("kill %d: %w", id.pid, err)
	}
	return until(ctx, func() bool { return !id.alive() }, fmt.Sprintf("process %d has been killed and is still there", id.pid))
}

// until waits for done, and says problem when it takes longer than killPatience.
func until(ctx context.Context, done func() bool, problem string) error {
	ctx, cancel := context.WithTimeout(ctx, killPatience)
	defer cancel()
	tick := time.NewTicker(killPoll)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", problem, ctx.Err())
		}
	}
	return nil
}

// readStat reads a process's state and start time (proc(5), fields 3 and 22).
func readStat(pid int) (state byte, start uint64, err error) {
	b, err := os.ReadFile(procPath(pid, "stat"))
	if err != nil {
		return 0, 0, err
	}
	return parseStat(b)
}

func parseStat(b []byte) (state byte, start uint64, err error) {
	i := bytes.LastIndexByte(b, ')') // the name before it may hold blanks and brackets
	fields := bytes.Fields(b[i+1:])
	const startField = 22 - 3 // counted from the state
	if i < 0 || len(fields) <= startField || len(fields[0]) != 1 {
		return 0, 0, fmt.Errorf("proc stat has an unknown form: %q", b)
	}
	start, err = strconv.ParseUint(string(fields[startField]), 10, 64)
	return fields[0][0], start, err
}

// readCommandLine returns a process's arguments, with a NUL before the first and after each. There
// are none while it becomes its program, and of one that has ended.
func readCommandLine(pid int) string {
	b, err := os.ReadFile(procPath(pid, "cmdline"))
	if err != nil || len(b) == 0 {
		return ""
	}
	return "\x00" + string(b)
}

func procPath(pid int, name string) string {
	return filepath.Join("/proc", strconv.Itoa(pid), name)
}
