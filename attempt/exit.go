package attempt

// Exit codes of a worker, by which the supervisor decides what to do next (sysexits.h where
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
