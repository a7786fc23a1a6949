package cli

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// availableMemory returns how many bytes a process may still take without swapping: what
// Linux estimates, or what the control group leaves if that is less; 0 if neither is known.
func availableMemory() uint64 {
	available := uint64(0)
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			var kib uint64
			if n, _ := fmt.Sscanf(line, "MemAvailable: %d kB", &kib); n == 1 {
				available = kib << 10
			}
		}
	}
	limit, limited := readNumber("/sys/fs/cgroup/memory.max")
	used, known := readNumber("/sys/fs/cgroup/memory.current")
	if !limited || !known {
		return available
	}
	left := limit - min(used, limit)
	if available == 0 {
		return left
	}
	return min(available, left)
}

// readNumber reads a file that holds one number; "max", which means none, is not one.
func readNumber(path string) (uint64, bool) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
	return n, err == nil
}
