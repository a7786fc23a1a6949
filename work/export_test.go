package work

// What tests of the pace need to know.
const (
	LeaseTTL             = leaseTTL
	LeaseRenewal         = leaseRenewal
	HeartbeatUsual       = heartbeat
	HangTimeout          = hangTimeout
	StopGrace            = stopGrace
	ExitGrace            = exitGrace
	ExitPoll             = exitPoll
	OrphansEvery         = orphansEvery
	LogsKept             = logsKept
	FailuresMax          = failuresMax
	LossesMax            = lossesMax
	FailureCharactersMax = failureCharactersMax
	IdleMax              = idleMax
	IdleSteps            = idleSteps
	StacksGrace          = stacksGrace
	StallsMax            = stallsMax
	PublishEvery         = publishEvery
)

// Backoff is backoff.
var Backoff = backoff
