package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// totalMemory returns how many bytes the machine has, or the control group may have if that is
// less; 0 if neither is known.
func totalMemory() uint64 {
	total := memInfo("MemTotal")
	limit, limited := readNumber(filepath.Join(controlGroup, "memory.max"))
	if limited && (total == 0 || limit < total) {
		return limit
	}
	return total
}

// availableMemory returns how many bytes a process may still take without swapping: what
// Linux estimates, or what the control group leaves if that is less; 0 if neither is known.
func availableMemory() uint64 {
	available := memInfo("MemAvailable")
	left, limited := groupLeft(controlGroup)
	switch {
	case !limited:
		return available
	case available == 0:
		return left
	}
	return min(available, left)
}

// controlGroup is where a container sees its own control group (cgroup v2).
const controlGroup = "/sys/fs/cgroup"

// groupLeft returns what a control group may still take; ok is false if it has no limit. What it
// uses counts the files that the kernel keeps in memory and gives up when memory is asked for:
// after some gigabytes of models and data have been read, nothing else would seem to be left.
func groupLeft(dir string) (left uint64, ok bool) {
	limit, limited := readNumber(filepath.Join(dir, "memory.max"))
	used, known := readNumber(filepath.Join(dir, "memory.current"))
	if !limited || !known {
		return 0, false
	}
	if stat, err := os.ReadFile(filepath.Join(dir, "memory.stat")); err == nil {
		for line := range strings.Lines(string(stat)) {
			name, number, _ := strings.Cut(strings.TrimSpace(line), " ")
			if n, err := strconv.ParseUint(number, 10, 64); err == nil && (name == "inactive_file" || name == "active_file") {
				used -= min(n, used)
			}
		}
	}
	return limit - min(used, limit), true
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
