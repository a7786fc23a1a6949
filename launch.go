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
