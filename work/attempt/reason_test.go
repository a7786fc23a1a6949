package attempt

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"testing"

	"outcrop.dev/outcrop"
)

func TestReasonOf(t *testing.T) {
	t.Parallel()
	missing := &outcrop.Error{Code: outcrop.CodeValidation, Reason: outcrop.ReasonNoInput, Msg: "x"}
	full := &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
	for _, c := range []struct {
		err  error
		want outcrop.Reason
		code int
	}{
		{nil, "", ExitDone},
		{io.EOF, "", ExitSoftware},
		{os.ErrNotExist, "", ExitSoftware},
		{fmt.Errorf("read: %w", missing), outcrop.ReasonNoInput, ExitNoInput},
		{&outcrop.Error{Code: outcrop.CodeValidation, Msg: "y", Err: missing}, outcrop.ReasonNoInput, ExitNoInput},
		{outcrop.Errorf(outcrop.CodeValidation, "no such hyperparameter"), "", ExitBadData},
		{fmt.Errorf("save: %w", full), outcrop.ReasonDiskFull, ExitSoftware},
		{errors.Join(io.EOF, full), outcrop.ReasonDiskFull, ExitSoftware},
		{&os.PathError{Op: "read", Path: "x", Err: syscall.ENOENT}, "", ExitSoftware},
	} {
		r := ResultOf(1, outcrop.Progress{}, c.err)
		if r.Reason != c.want || r.ExitCode != c.code {
			t.Errorf("%v: reason %q, exit code %d", c.err, r.Reason, r.ExitCode)
		}
	}
}

func TestReasonOfDeath(t *testing.T) {
	t.Parallel()
	for fault, want := range faults {
		if got := ReasonOfDeath("exit status 1; it said: write x: " + fault.Error()); got != want {
			t.Errorf("%v: %q, want %q", fault, got, want)
		}
	}
	for words, want := range map[string]outcrop.Reason{"fatal error: runtime: out of memory": outcrop.ReasonNoMemory, "exit status 2": "", "": ""} {
		if got := ReasonOfDeath(words); got != want {
			t.Errorf("%q: %q, want %q", words, got, want)
		}
	}
}
