package local

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// oomKillCounter returns a function that counts the processes that the kernel has ended
// for lack of memory: in our control group where there is one that counts them (a
// container), else on the whole machine. 0 where neither can be read.
func oomKillCounter() func() int64 {
	paths := []string{"/proc/vmstat"}
	if group := controlGroup("/proc/self/cgroup"); group != "" {
		paths = []string{filepath.Join("/sys/fs/cgroup", group, "memory.events"), "/sys/fs/cgroup/memory.events", "/proc/vmstat"}
	}
	return func() int64 {
		for _, path := range paths {
			if n, ok := readCounter(path, "oom_kill"); ok {
				return n
			}
		}
		return 0
	}
}

// controlGroup reads our group's path in the unified hierarchy (cgroups(7): "0::/path").
func controlGroup(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(b)) {
		if group, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			return group
		}
	}
	return ""
}

// readCounter reads the line "name value" of a file of counters.
func readCounter(path, name string) (int64, bool) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	for in := bufio.NewScanner(bytes.NewReader(b)); in.Scan(); {
		if value, ok := strings.CutPrefix(in.Text(), name+" "); ok {
			n, err := strconv.ParseInt(value, 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}
