package attempt

import (
	"errors"
	"strings"
	"syscall"

	"outcrop.dev/outcrop"
)

// faults are the machine's, as the operating system names them.
var faults = map[syscall.Errno]outcrop.Reason{
	syscall.ENOSPC: outcrop.ReasonDiskFull,
	syscall.EDQUOT: outcrop.ReasonDiskQuota,
	syscall.EROFS:  outcrop.ReasonReadOnly,
	syscall.EACCES: outcrop.ReasonDenied,
	syscall.EIO:    outcrop.ReasonDiskFault,
	syscall.ENOMEM: outcrop.ReasonNoMemory,
}

// ReasonOf returns the reason that err carries, or that of the fault of the machine which
// caused it; "" for any other error.
func ReasonOf(err error) outcrop.Reason {
	if r := outcrop.ReasonOf(err); r != "" {
		return r
	}
	var fault syscall.Errno
	if errors.As(err, &fault) {
		return faults[fault]
	}
	return ""
}

// ReasonOfDeath returns the reason why a worker died without a result, from what it printed
// last. A crash leaves nothing else. The words are those of the operating system and of Go's
// runtime, never ours.
func ReasonOfDeath(words string) outcrop.Reason {
	for fault, reason := range faults {
		if strings.Contains(words, fault.Error()) {
			return reason
		}
	}
	if strings.Contains(words, "out of memory") { // Go's runtime
		return outcrop.ReasonNoMemory
	}
	return ""
}
