// Package invoke is the one way from a request to the engine, whoever asks: an API's operation, in
// whatever format, a batch, an evaluation or a playground.
//
//	outcrop.Target ─→ await: a throughput that is still Creating
//	               ─→ gate: the capacity of its model units, CodeThrottling beyond it
//	               ─→ outcrop.Engine ─→ outcrop.Meter
//
// It knows no API, no format of bodies and no name of a model: who resolves a name hands it a Target.
//
//	inv := invoke.New(store, engine, meter, invoke.Options{Now: time.Now, After: time.After})
//	g, err := inv.Generate(ctx, "Converse", target, request, nil)
package invoke

import (
	"cmp"
	"context"
	"time"

	"outcrop.dev/outcrop"
)

// Options are the clock, whose functions are required, and the limits.
type Options struct {
	Now   func() time.Time                     // time.Now
	After func(time.Duration) <-chan time.Time // time.After

	// ReadyWait is how long a request waits for a throughput that is Creating; 0 is
	// DefaultReadyWait.
	ReadyWait time.Duration
	// UnitRunning is how many requests a model unit generates at once, UnitWaiting how many
	// more wait for it; 0 are the defaults.
	UnitRunning, UnitWaiting int
}

// The defaults of Options.
const (
	// boto3 gives a request up after 60 seconds without an answer.
	DefaultReadyWait   = 45 * time.Second
	DefaultUnitRunning = 8
	DefaultUnitWaiting = 32
)

// Invoker runs requests. All that share an engine go through one Invoker, which counts them.
type Invoker struct {
	store  outcrop.Store
	engine outcrop.Engine
	meter  outcrop.Meter
	opt    Options
	gates  gates
}

// New returns the way to engine. It reads from store whether a throughput is ready.
func New(store outcrop.Store, engine outcrop.Engine, meter outcrop.Meter, opt Options) *Invoker {
	opt.ReadyWait = cmp.Or(opt.ReadyWait, DefaultReadyWait)
	opt.UnitRunning = cmp.Or(opt.UnitRunning, DefaultUnitRunning)
	opt.UnitWaiting = cmp.Or(opt.UnitWaiting, DefaultUnitWaiting)
	return &Invoker{
		store: store, engine: engine, meter: meter, opt: opt,
		gates: gates{byARN: map[outcrop.ARN]*gate{}, running: opt.UnitRunning, waiting: opt.UnitWaiting},
	}
}

// Generate runs req on t once t is ready and has capacity, and records the usage as that of
// operation. What req says of model and tenant does not count: t does. emit gets the text piece by
// piece; it may be nil. Errors are those of the waiting (CodeModelNotReady, CodeModelError,
// CodeNotFound), of the gate (CodeThrottling) and of outcrop.Engine.
func (v *Invoker) Generate(ctx context.Context, operation string, t outcrop.Target, req outcrop.GenerateRequest, emit func(text string) error) (outcrop.Generation, error) {
	if err := v.await(ctx, t); err != nil {
		return outcrop.Generation{}, err
	}
	start := v.opt.Now()
	leave, err := v.gates.enter(ctx, t.Resource, t.Units)
	if err != nil {
		return outcrop.Generation{}, err
	}
	defer leave()
	var g outcrop.Generation
	req.Model, req.Tenant = t.Files, t.Scope.Account+"/"+t.Scope.Region
	g.GenerateResult, err = v.engine.Generate(ctx, req, func(text string) error {
		if g.FirstText == 0 {
			g.FirstText = v.opt.Now().Sub(start)
		}
		if emit == nil {
			return nil
		}
		return emit(text)
	})
	g.Latency = v.opt.Now().Sub(start)
	if err == nil || g.OutputTokens > 0 { // who hangs up has still used what was generated
		v.record(ctx, operation, t, start, g)
	}
	return g, err
}

// record meters a generation, also of a caller who has gone.
func (v *Invoker) record(ctx context.Context, operation string, t outcrop.Target, start time.Time, g outcrop.Generation) {
	v.meter.Record(context.WithoutCancel(ctx), outcrop.Usage{
		At: start, Scope: t.Scope, Resource: t.Resource, Operation: operation,
		InputTokens: int64(g.InputTokens), ReusedTokens: int64(g.ReusedTokens), OutputTokens: int64(g.OutputTokens), Latency: g.Latency,
	})
}

// CountTokens returns how many tokens the messages are to t's model. It neither waits for capacity
// nor is it metered: nothing is generated.
func (v *Invoker) CountTokens(ctx context.Context, t outcrop.Target, messages []outcrop.Message) (int, error) {
	return v.engine.CountTokens(ctx, t.Files, messages)
}
