// Package bedrockruntime is the Bedrock Runtime API: InvokeModel and Converse, whole and as
// event streams, and CountTokens. Each operation has a file, named as boto3 names the method;
// what Outcrop does not have answers an error that says so.
//
// A request goes the same way whatever its operation:
//
//	modelId ─→ Models: a base model on demand, or a throughput's model
//	body    ─→ dialect (InvokeModel) or conversation (Converse) ─→ outcrop.GenerateRequest
//	        ─→ await: a throughput that is still Creating
//	        ─→ gates: capacity, ThrottlingException beyond it
//	        ─→ outcrop.Engine ─→ answer, usage
//
// It knows models as outcrop.Target alone, and neither engine nor store beyond the
// interfaces of package outcrop.
package bedrockruntime

import (
	"time"

	"outcrop.dev/outcrop"
)

// Options are what a Service needs of the server around it, and its limits. The functions are
// required.
type Options struct {
	Now   func() time.Time                     // time.Now
	After func(time.Duration) <-chan time.Time // time.After

	// ReadyWait is how long a request waits for a throughput that is Creating; 0 is
	// DefaultReadyWait.
	ReadyWait time.Duration
	// UnitRunning is how many requests a model unit generates at once, UnitWaiting how many
	// more wait for it; 0 are the defaults. outcrop.Target says how many units there are.
	UnitRunning, UnitWaiting int
}

// The defaults of Options.
const (
	// boto3 gives a request up after 60 seconds without an answer.
	DefaultReadyWait   = 45 * time.Second
	DefaultUnitRunning = 8
	DefaultUnitWaiting = 32
)

// readyPoll is how often the store is asked whether a throughput is ready: a tenth of the
// time in which a small model is loaded.
const readyPoll = 50 * time.Millisecond

// Service answers Bedrock Runtime's operations. Register makes it reachable.
type Service struct {
	Unimplemented
	models Models
	store  outcrop.Store
	engine outcrop.Engine
	meter  outcrop.Meter
	opt    Options
	gates  gates
}

// New returns the service over the rooms that it needs.
func New(models Models, store outcrop.Store, engine outcrop.Engine, meter outcrop.Meter, opt Options) *Service {
	if opt.ReadyWait == 0 {
		opt.ReadyWait = DefaultReadyWait
	}
	if opt.UnitRunning == 0 {
		opt.UnitRunning = DefaultUnitRunning
	}
	if opt.UnitWaiting == 0 {
		opt.UnitWaiting = DefaultUnitWaiting
	}
	return &Service{
		models: models, store: store, engine: engine, meter: meter, opt: opt,
		gates: gates{byARN: map[outcrop.ARN]*gate{}, running: opt.UnitRunning, waiting: opt.UnitWaiting},
	}
}

var _ Operations = (*Service)(nil)
