package cli

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// totalMemory returns how many bytes the machine has, or the control group may have if that is
// less; 0 if neither is known.
func totalMemory() uint64 {
	total := memInfo("MemTotal")
	limit, limited := readNumber("/sys/fs/cgroup/memory.max")
	if limited && (total == 0 || limit < total) {
		return limit
	}
	return total
}

// availableMemory returns how many bytes a process may still take without swapping: what
// Linux estimates, or what the control group leaves if that is less; 0 if neither is known.
func availableMemory() uint64 {
	available := memInfo("MemAvailable")
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

// memInfo returns a line of /proc/meminfo in bytes; 0 if there is none.
func memInfo(name string) uint64 {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		var kib uint64
		if n, _ := fmt.Sscanf(line, name+": %d kB", &kib); n == 1 {
			return kib << 10
		}
	}
	return 0
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
