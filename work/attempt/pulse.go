package attempt

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// Pulse tells a worker that gets things done from one that only lives. The zero value is that of a
// worker of an older program, of which nothing is known.
type Pulse struct {
	// Done counts what has been finished: a report, some rows, a file. It begins at 1.
	Done int64 `json:",omitempty"`
	// Starved is how long the worker was ready to run and got no CPU, since it began.
	Starved time.Duration `json:",omitempty"`
}

// Alive notes that something has been finished, small as it may be. Work that does not call it, nor
// Report, for many minutes is taken for hung, and ended.
func (c *Client) Alive() { c.done.Add(1) }

// pulse is that of this process.
func (c *Client) pulse() Pulse {
	return Pulse{Done: c.done.Load(), Starved: c.hunger.measure()}
}

// hunger adds up how long a process was ready to run and got no CPU. Of its threads the hungriest
// counts: to add them would make ten minutes of one that waits for a disk, beside nine that wait
// for the CPU, look like ninety of hunger.
type hunger struct {
	tasks   string // the directory of the threads (proc(5)); "" knows nothing
	threads map[string]time.Duration
	total   time.Duration
}

// measure returns the sum. Where the kernel does not tell it is 0.
func (h *hunger) measure() time.Duration {
	entries, err := os.ReadDir(h.tasks)
	if err != nil {
		return h.total
	}
	seen, most := map[string]time.Duration{}, time.Duration(0)
	for _, e := range entries {
		waited, ok := runDelay(filepath.Join(h.tasks, e.Name(), "schedstat"))
		if !ok {
			continue
		}
		seen[e.Name()] = waited
		if before, known := h.threads[e.Name()]; known {
			most = max(most, waited-before)
		}
	}
	h.threads = seen
	h.total += most
	return h.total
}

// runDelay reads how long a thread has waited for a CPU: the second number of its schedstat, in
// nanoseconds (the kernel's Documentation/scheduler/sched-stats.rst).
func runDelay(path string) (waited time.Duration, ok bool) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	var ran, delay int64
	if n, err := fmt.Sscan(string(b), &ran, &delay); n != 2 || err != nil {
		return 0, false
	}
	return time.Duration(delay), true
}

// stacksBytesMax bounds what printStacks prints: a worker has some dozens of goroutines.
const stacksBytesMax = 1 << 20

// printStacks prints where all goroutines are, for whoever asks why the worker does nothing.
func (c *Client) printStacks() {
	b := make([]byte, stacksBytesMax)
	fmt.Fprintf(c.options.Stderr, "%s\n%s\n", stacksHeading, b[:runtime.Stack(b, true)])
}

// stacksHeading stands before the stacks in a worker's log.
const stacksHeading = "=== the worker lives and does nothing; its stacks:"
