// Package throughput brings provisioned throughput into service: what is Creating or
// Updating gets its model loaded and becomes InService, or Failed with a message; what is
// deleted lets its model go. It knows neither how models are run nor who creates
// throughput.
//
//	Creating ──► load the desired model ──► InService        Updating ──► the same
//	                     └── cannot be loaded ──► Failed
//
// It is a kind of work: the supervisor claims what is Creating or Updating, and a settling (settle.go)
// brings it to its end. Beside that a Kind keeps loaded what is InService (keep.go), in every
// server: after a restart the models are loaded again, one after the other, behind the ones that
// somebody waits for; a request that comes sooner loads its model itself.
package throughput

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/internal/pause"
	"outcrop.dev/outcrop/work"
)

// Engine is what of outcrop.Engine loads models.
type Engine interface {
	Load(ctx context.Context, m outcrop.ModelFiles) error
	Unload(id outcrop.ModelID)
}

// Locate finds a model by its ARN. CodeNotFound if there is none.
type Locate func(ctx context.Context, model string) (outcrop.ModelFiles, error)

// The pace of a Kind.
const (
	pollEvery  = 15 * time.Second // for what Notify was not called for
	loadsMax   = 2                // models at once: loading is bound by the disk and by memory
	triesMax   = 3                // loads that fail for no reason of the model's own
	retryAfter = 2 * time.Second
	roomTries  = 40 // one each pollEvery: so long a throughput waits for other models to leave memory

	preloadPoll = 200 * time.Millisecond // how often a load in advance looks whether it may begin
)

// Kind is the work on provisioned throughput.
type Kind struct {
	store  outcrop.Store
	engine Engine
	locate Locate
	log    *slog.Logger
	bell   pause.Bell
	loads  chan struct{} // holds a token for each model that is being loaded for somebody
	warm   chan struct{} // holds a token while a model is loaded in advance

	mu      sync.Mutex
	held    map[outcrop.ARN]holding
	working map[outcrop.ARN]bool // a settling or a load in advance works on it
	running sync.WaitGroup       // loads in advance

	waiting atomic.Int32 // how many throughputs somebody waits for
}

var _ work.Kind = (*Kind)(nil)

// New returns the kind. log may be nil.
func New(store outcrop.Store, engine Engine, locate Locate, log *slog.Logger) *Kind {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Kind{
		store: store, engine: engine, locate: locate, log: log, bell: pause.NewBell(),
		loads: make(chan struct{}, loadsMax), warm: make(chan struct{}, 1),
		held: map[outcrop.ARN]holding{}, working: map[outcrop.ARN]bool{},
	}
}

// Notify says that throughput was written. It never waits.
func (k *Kind) Notify() { k.bell.Ring() }

// Noun implements work.Kind.
func (k *Kind) Noun() outcrop.Kind { return outcrop.KindThroughput }

// Live implements work.Kind.
func (k *Kind) Live() []outcrop.Status {
	return []outcrop.Status{outcrop.ThroughputCreating, outcrop.ThroughputUpdating}
}

// Claims implements work.Kind: settlings wait for their turn to load by themselves.
func (k *Kind) Claims() []outcrop.Status { return k.Live() }

// Take implements work.Kind.
func (k *Kind) Take(h *work.Hold, rec outcrop.Record) work.Task {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.working[rec.ARN] = true
	k.waiting.Add(1)
	return &settling{Kind: k, lease: h}
}

// desired is the model that a throughput is to serve.
func desired(t *outcrop.Throughput) outcrop.ARN {
	if t.DesiredModelARN != "" {
		return t.DesiredModelARN
	}
	return t.ModelARN
}
