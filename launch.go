package outcrop

import "context"

// Launch is what a launcher needs to start an attempt of a job: the worker asks for the
// rest over HTTP.
type Launch struct {
	JobID   string
	Attempt int
	Token   string // authorises this attempt at the attempt API
}

// Launcher starts attempts as processes: children here, or pods on a cluster.
type Launcher interface {
	// Start begins an attempt and returns a handle that outlives this process.
	Start(ctx context.Context, l Launch) (handle string, err error)
	// Alive reports whether the attempt's process still runs. false is certain, true may be stale.
	Alive(ctx context.Context, handle string) (bool, error)
	// Kill ends the attempt's process at once. It is no error if it has ended.
	Kill(ctx context.Context, handle string) error
}

// Exit codes of a worker, by which the reconciler decides what to do next (sysexits.h where
// one fits).
const (
	ExitDone        = 0
	ExitStopped     = 64 // asked to stop
	ExitBadData     = 65
	ExitNoInput     = 66 // a file that the job names is missing
	ExitSoftware    = 70 // unexpected: retry from the last checkpoint
	ExitOutOfMemory = 71
	ExitTemporary   = 75 // retry
	ExitDiverged    = 76 // NaN or Inf
	ExitFenced      = 77 // another attempt has taken over
	ExitConfig      = 78
	ExitDeadline    = 124
)
