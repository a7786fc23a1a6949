// Package launch is what the supervisor and the launchers agree on: how an attempt is started
// somewhere, found again, and ended. A launcher places processes; it says when one has died, and
// kills it. It knows nothing of what an attempt works on, and never tries again by itself: one
// attempt is one process.
//
// Each launcher is a folder below this one. Package launchtest is the suite that all of them pass.
package launch

import (
	"context"
	"fmt"
	"regexp"
)

// Launch is what a launcher needs to start an attempt: the worker asks for the rest over HTTP.
type Launch struct {
	JobID   string // of the record that is worked on, a job's for one
	Attempt int
	Token   string // authorises this attempt at the attempt API
}

// Check refuses a job id that could become a path, or another name of a launcher's.
func (l Launch) Check() error {
	if !jobIDForm.MatchString(l.JobID) {
		return fmt.Errorf("start attempt: %q is not a job id", l.JobID)
	}
	return nil
}

// jobIDForm is also that of a label in DNS, but for capitals.
var jobIDForm = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9-]{0,62}$`)

// Launcher starts attempts as processes: children here, or jobs of a cluster.
type Launcher interface {
	// Start begins an attempt and returns a handle that outlives this process. It is idempotent by
	// job and attempt: a second call finds the process of the first while that lives. An earlier
	// attempt of the job that still lives is ended first.
	Start(ctx context.Context, l Launch) (handle string, err error)
	// State says how an attempt is. An attempt of another installation, as in the copy of a record, is
	// Gone to this one, and Kill leaves it alone. An error means that nobody can tell at the moment.
	State(ctx context.Context, handle string) (State, error)
	// Kill ends the attempt's process and returns when it is gone. It is no error if it has ended.
	Kill(ctx context.Context, handle string) error
	// List returns the handles of all processes that this installation has started and that
	// live. Those that no record names are orphans.
	List(ctx context.Context) ([]string, error)
}

// Phase is where in its life an attempt's process is.
type Phase string

// The phases of a process.
const (
	Waiting Phase = "Waiting" // it has no place to run yet; State.Why says what for
	Running Phase = "Running"
	Ended   Phase = "Ended" // State.Code, Detail and Killed say how
	Gone    Phase = "Gone"  // it does not run, and how it ended nobody knows
)

// State is how an attempt is.
type State struct {
	Phase  Phase
	Why    string // of Waiting, in words
	Node   string // of Running, where more than one is possible
	Code   int    // of Ended: one of package attempt's exit codes
	Detail string // of Ended, in words
	Killed bool   // of Ended: by somebody else, or by Kill, and not by a fault of its own
}

// Over reports whether the process does not run any more.
func (s State) Over() bool { return s.Phase == Ended || s.Phase == Gone }
