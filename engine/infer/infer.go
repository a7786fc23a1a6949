// Package infer runs models: it loads them, decodes the requests of one model together over
// key-value caches, samples, and finds stop sequences. It implements outcrop.Engine and knows
// no API.
//
// A text depends on the model, the prompt, the sampling parameters and the seed, and on
// nothing else: not on other requests, on streaming, or on the number of threads. That holds
// bit for bit, because the model's logits do (model.Serving.Forward) and random numbers are a
// function of seed and position.
//
//	e := infer.New(infer.Options{Exec: exec, …})
//	res, err := e.Generate(ctx, outcrop.GenerateRequest{Model: files, …}, emit)
//
// What a request has read is kept for later requests of the same tenant, whose prompts begin
// alike: the next turn of a conversation, or another question after the same instructions. It
// changes no bit of the answers, only when they begin (prefix.go says for whom).
//
// Adapters (LoRA) are loaded beside the model that they belong to: one copy of its weights serves
// it and all of its adapters, whose requests are decoded together.
//
//	request ─→ resident (model, tokenizer, template)      one for each ModelID
//	        ─→ admit (places, memory)                     waits, in order of arrival, and goes on
//	                                                      from what the tenant's last ones have read
//	        ─→ scheduler: step, step, … ─→ outbox ─→ emit one goroutine for each model
package infer

import (
	"context"
	"sync"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/model"
)

// Options is what an Engine runs on. Exec, Seed and AfterFunc are required.
type Options struct {
	Exec model.Exec
	// Check, if not nil, is called with a model's directory before it is read; its error is why the
	// model cannot be loaded.
	Check func(dir string) error

	// Sequences is how many requests of one model are decoded together, Waiting how many
	// more may wait for a place; any more are CodeThrottling.
	Sequences int
	Waiting   int
	// CacheBytes bounds the key-value caches of all requests under way, and of what is kept of
	// those that have ended.
	CacheBytes int64
	// WeightBytes bounds the weights of all models in memory: for one that is asked for, those go
	// that nobody uses or has asked to Load. 0: nothing does.
	WeightBytes int64
	// NoReuse: nothing is kept of requests that have ended.
	NoReuse bool

	// Keep is how long a model that nobody asked to Load stays in memory after its last
	// request, and what is kept of a request after its last use.
	Keep time.Duration
	// AfterFunc calls f after d, unless stop is called first: time.AfterFunc.
	AfterFunc func(d time.Duration, f func()) (stop func() bool)
	// Seed draws the seed of a request that names none. It is called from several goroutines.
	Seed func() uint64
}

// The defaults of Options.
const (
	// From sixteen rows on a product on a CPU is no longer bound by reading the weights: more at
	// once are answered in the same time, and none of them has to wait for the others' ends.
	DefaultSequences = 32
	// A client of AWS gives up after a minute; of short answers about this many pass
	// through the places in that time.
	DefaultWaiting    = 128
	DefaultCacheBytes = 1 << 30
	DefaultKeep       = 5 * time.Minute
)

// Engine runs models; it is an outcrop.Engine. Its methods may be called from several
// goroutines.
type Engine struct {
	opt   Options
	cache *memory

	mu      sync.Mutex
	models  map[outcrop.ModelID]*resident
	uses    int // of any model, ever
	weights weights
	closed  bool
	gone    sync.WaitGroup // residents that are not closed yet
}

var _ outcrop.Engine = (*Engine)(nil)

// New returns an engine without models. Zero fields of opt take their defaults.
func New(opt Options) *Engine {
	if opt.Sequences == 0 {
		opt.Sequences = DefaultSequences
	}
	if opt.Waiting == 0 {
		opt.Waiting = DefaultWaiting
	}
	if opt.CacheBytes == 0 {
		opt.CacheBytes = DefaultCacheBytes
	}
	if opt.Keep == 0 {
		opt.Keep = DefaultKeep
	}
	e := &Engine{opt: opt, cache: newMemory(opt), models: map[outcrop.ModelID]*resident{}}
	e.weights = weights{most: opt.WeightBytes, left: sync.Cond{L: &e.mu}}
	return e
}

// Load makes a model resident until an Unload of its ID for every Load. CodeModelError if it
// cannot be loaded; then no Unload is due.
func (e *Engine) Load(ctx context.Context, m outcrop.ModelFiles) error {
	for {
		r, err := e.acquire(ctx, m)
		if err != nil {
			return err
		}
		pinned, err := e.pin(r)
		e.release(r)
		if pinned || err != nil {
			return err
		}
	}
}

// pin keeps a model that is in use until an Unload, unless another has taken its place meanwhile.
// After Close nobody would take that back.
func (e *Engine) pin(r *resident) (pinned bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return false, errClosed()
	}
	if e.models[r.files.ID] != r {
		return false, nil
	}
	r.pins++
	return true, nil
}

func errClosed() error {
	return outcrop.Errorf(outcrop.CodeServiceUnavailable, "The server is shutting down. Try again.")
}

// Unload takes back one Load. After the last one the model's memory goes as soon as its
// requests have ended. Without a Load it does nothing.
func (e *Engine) Unload(id outcrop.ModelID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r := e.models[id]
	if r == nil || r.pins == 0 {
		return
	}
	if r.pins--; r.pins == 0 {
		r.unload = true
		e.settle(r)
	}
}

// Close unloads every model after its requests; new ones are refused.
func (e *Engine) Close() {
	e.mu.Lock()
	e.closed = true
	for _, r := range e.models {
		r.pins, r.unload = 0, true
		e.settle(r)
	}
	e.mu.Unlock()
	e.gone.Wait()
}

// CountTokens returns the length of the rendered prompt. Errors as of Generate.
func (e *Engine) CountTokens(ctx context.Context, m outcrop.ModelFiles, messages []outcrop.Message) (int, error) {
	r, err := e.acquire(ctx, m)
	if err != nil {
		return 0, err
	}
	defer e.release(r)
	prompt, err := r.render(ctx, messages)
	return len(prompt), err
}
