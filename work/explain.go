package work

import (
	"cmp"
	"fmt"
	"strings"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/work/attempt"
)

// Ending is how an attempt ended that has made nothing.
type Ending struct {
	Code    int    // an exit code of package attempt, CodeUnknown or CodeTaken
	Message string // in words; may be ""
	Reason  outcrop.Reason
	Said    bool   // the worker itself said so, in its result
	Idle    bool   // it was ended because it did nothing
	Log     string // where the worker's log is
}

// Codes of an Ending that are no exit codes.
const (
	// CodeUnknown is that of a process that was ended from outside, or that ended while no
	// server looked.
	CodeUnknown = -1
	// CodeTaken is that of an attempt that has made something whose name another noun has by now.
	CodeTaken = -2
)

// String says how in words.
func (e Ending) String() string {
	if e.Code == CodeUnknown {
		return cmp.Or(e.Message, "it was killed, or ended while no server was running")
	}
	return cmp.Or(e.Message, fmt.Sprintf("exit code %d", e.Code))
}

// Lost reports whether the attempt ended by no fault of its own.
func (e Ending) Lost() bool {
	switch e.Code {
	case CodeUnknown, attempt.ExitTemporary, attempt.ExitFenced, attempt.ExitStopped:
		return true
	}
	return false
}

// Final reports whether another attempt would end in the same way.
func (e Ending) Final() bool {
	switch e.Code {
	case attempt.ExitBadData, attempt.ExitNoInput, attempt.ExitDiverged, attempt.ExitConfig, attempt.ExitDeadline:
		return true
	case attempt.ExitOutOfMemory:
		return e.Said // planned and found too large; the kernel's kill may have been another's fault
	}
	return false
}

// Remedy says what to do about a fault of the machine, "" if it is none.
func (e Ending) Remedy() string { return remedies[e.Reason] }

// remedies say what to do about a fault of the machine.
var remedies = map[outcrop.Reason]string{
	outcrop.ReasonDiskFull:  "The disk of the server's data directory is full: make room on it, or move the data directory to a larger one, and create a new job.",
	outcrop.ReasonDiskQuota: "The disk quota of the server's data directory is used up: raise it, and create a new job.",
	outcrop.ReasonReadOnly:  "The file system of the server's data directory cannot be written: mount it writable, look into the kernel's log for a failing disk, and create a new job.",
	outcrop.ReasonDenied:    "The server's user may not write to its data directory: correct the permissions, and create a new job.",
	outcrop.ReasonDiskFault: "The disk of the server's data directory fails: look into the kernel's log, and create a new job on another disk.",
	outcrop.ReasonNoMemory:  "The memory that the server may use is not enough for this job: shorten the longest rows, use a smaller model, or give the server more memory, and create a new job.",
}

// Sentences joins parts with blanks, each ended with a full stop; empty ones are left out.
func Sentences(parts ...string) string {
	var all []string
	for _, p := range parts {
		p = strings.TrimSpace(p)
		if p == "" {
			continue
		}
		if !strings.HasSuffix(p, ".") {
			p += "."
		}
		all = append(all, p)
	}
	return strings.Join(all, " ")
}
