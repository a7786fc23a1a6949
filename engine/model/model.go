package model

import (
	"errors"
	"fmt"

	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/attention"
)

// Exec is what models run on.
type Exec = nn.Exec

// Model is a decoder in training: float32 master weights, their gradients, and the
// memory of one batch. Its methods must not run at the same time.
type Model struct {
	Config
	exec    nn.Exec
	weights *weights
	params  []*nn.Param
	masters *tensor.Arena
	frozen  bool

	trainable []*nn.Param
	lora      LoRA
	adapters  []*nn.Adapter // nil for none
	factors   *tensor.Arena // of the adapters; nil for none

	plan  *plan
	batch *tensor.Arena
}

// Budget is the largest batch that a Model is asked to take.
type Budget struct {
	Tokens  int  // of a batch
	Longest int  // tokens of one document
	Targets int  // tokens of a batch that have a target; more are no error, only slower; 0: all
	Train   bool // gradients too; otherwise Evaluate and Logits only
	// Recompute keeps of each block its input alone, and computes the rest again in the backward
	// pass (Chen et al. 2016, arXiv:1604.06174): less memory, about a quarter more time, the same
	// bits (TestRecompute).
	Recompute bool
	// LoRA, where Measure is asked for a model with adapters, is theirs; Plan knows the
	// model's own.
	LoRA *LoRA
}

func (b Budget) targets() int {
	if b.Targets == 0 {
		return b.Tokens
	}
	return min(b.Targets, b.Tokens)
}

// Memory is what a Budget needs, in bytes.
type Memory struct{ Weights, Gradients, Activations int }

// plan is the layers with the memory of one batch.
type plan struct {
	decoder
	budget Budget
	head   *nn.Head
	stream nn.Stream
	y      []float32 // (N,C) after the last norm; then the gradient of x
	dy     []float32 // (N,C) its gradient
}

// New returns a model with all weights zero. The caller provides them by Load or Init.
func New(c Config, exec nn.Exec) (*Model, error) { return create(c, exec, false) }

func create(c Config, exec nn.Exec, frozen bool) (*Model, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	w := families[c.Family].weights(c)
	m := &Model{Config: c, exec: exec, weights: w, params: w.all(), frozen: frozen}
	if !frozen {
		m.trainable = m.params
	}
	var err error
	if m.masters, err = tensor.NewArena(weightBytes(c, m.params, frozen) + arenaSlack(len(m.params))); err != nil {
		return nil, fmt.Errorf("memory for the weights: %w", err)
	}
	for _, p := range m.params {
		allocate(c, p, m.masters, frozen)
	}
	return m, nil
}

// arenaSlack is room for the alignment of n allocations.
func arenaSlack(n int) int { return n * 4096 }

// Params returns every parameter once, in the order of the forward pass.
func (m *Model) Params() []*nn.Param { return m.params }

// Exec returns what the model runs on.
func (m *Model) Exec() nn.Exec { return m.exec }

// Measure returns the memory of the weights, and what Plan would take for b.
func (c Config) Measure(exec nn.Exec, b Budget) Memory {
	w := families[c.Family].weights(c)
	params := w.all()
	m := Memory{Weights: weightBytes(c, params, b.LoRA != nil)}
	if b.LoRA != nil {
		params = paramsOf(w.adapt(*b.LoRA, b.LoRA.selects))
		m.Weights += 4 * lengthOf(params)
	}
	m.Activations = c.measure(exec, w, b)
	if b.Train {
		m.Gradients = 4 * lengthOf(params)
	}
	return m
}

// measure returns the bytes of the layers' memory for one batch.
func (c Config) measure(exec nn.Exec, w *weights, b Budget) int {
	n := 0
	c.layout(exec, w, b, func(k int) []float32 { n += k; return nil })
	return 4 * n
}

// Plan provides the memory for batches up to b, in place of that of an earlier Plan. After
// an error there is none.
func (m *Model) Plan(b Budget) error {
	if b.Tokens < 1 || b.Longest < 1 || b.Longest > m.Context {
		return fmt.Errorf("a batch of %d tokens with documents of %d does not fit a model with %d positions", b.Tokens, b.Longest, m.Context)
	}
	if err := m.release(); err != nil {
		return err
	}
	need := m.measure(m.exec, m.weights, b)
	if b.Train {
		need += 4 * lengthOf(m.trainable)
	}
	arena, err := tensor.NewArena(need + arenaSlack(64*(len(m.params)+4)))
	if err != nil {
		return fmt.Errorf("memory for batches of %d tokens: %w", b.Tokens, err)
	}
	m.batch = arena
	for _, p := range m.trainable {
		if b.Train {
			p.G = arena.F32(p.Len())
		}
	}
	m.plan = m.layout(m.exec, m.weights, b, arena.F32)
	return nil
}

// layout builds the layers over memory from alloc.
func (c Config) layout(exec nn.Exec, w *weights, b Budget, alloc nn.Alloc) *plan {
	n := b.Tokens
	att := attention.New(exec.Pool, exec.Kernel, c.attention(), b.Longest, alloc)
	scratch := nn.NewScratch(att, &w.layers[0], n, true, alloc)
	p := &plan{
		decoder: c.decoder(w, n, b.Longest, alloc), budget: b, head: nn.NewHead(w.head, b.targets(), alloc),
		y: alloc(n * c.Hidden), dy: alloc(n * c.Hidden),
		stream: nn.Stream{Positions: make([]int32, n)},
	}
	p.x, p.again = alloc(n*c.Hidden), b.Recompute
	var kept *nn.Kept
	for i := range w.layers {
		l := &w.layers[i]
		if kept == nil || !b.Recompute {
			kept = nn.NewKept(l, att.Shape, n, alloc)
		}
		p.blocks = append(p.blocks, nn.NewBlock(l, p.shapes[i], alloc(n*c.Hidden), n, kept, scratch, alloc))
	}
	w.planAdapters(n, alloc)
	return p
}

func (c Config) attention() attention.Shape {
	return attention.Shape{Heads: c.Heads, KVHeads: c.KVHeads, HeadSize: c.HeadSize}
}

// Close releases the model's memory; the model and its slices must not be used again.
func (m *Model) Close() error {
	err := m.release()
	if m.factors != nil {
		err = errors.Join(err, m.factors.Close())
	}
	return errors.Join(err, m.masters.Close())
}

func (m *Model) release() error {
	if m.batch == nil {
		return nil
	}
	b := m.batch
	m.batch, m.plan = nil, nil
	for _, p := range m.trainable {
		p.G = nil
	}
	return b.Close()
}
