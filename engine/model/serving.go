package model

import (
	"errors"
	"fmt"
	"runtime"
	"sync"

	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/attention"
	"outcrop.dev/outcrop/engine/tensor/gemm"
)

// servingRows is the most new tokens that one pass through the layers takes: enough for
// the products to be efficient, few enough for the activations to stay in cache.
const servingRows = 256

// Serving is a model in memory for generation: weights packed once for the kernel, no
// masters, no gradients. Many sessions share it; its methods may be called from several
// goroutines, and Forward runs one call at a time. Close returns its memory.
type Serving struct {
	Config
	exec    nn.Exec
	weights *weights
	arena   *tensor.Arena // of the weights

	mu   sync.Mutex // holds pass
	pass pass
}

// LoadServing reads the model in dir for generation. Errors as of Load.
func LoadServing(dir string, exec nn.Exec) (*Serving, error) {
	c, err := ReadConfig(dir)
	if err != nil {
		return nil, err
	}
	files, err := openWeights(dir, c)
	if err != nil {
		return nil, err
	}
	defer files.Close()
	return newServing(c, exec, func(p *nn.Param, w []float32) error { return readParam(files, p, w) })
}

// Serving returns the model as it would be loaded after Save, without adapters. The error says
// that there is no memory.
func (m *Model) Serving() (*Serving, error) {
	byName := map[string]*nn.Param{}
	for _, p := range m.params {
		byName[p.Name] = p
	}
	return newServing(m.Config, m.exec, func(p *nn.Param, w []float32) error {
		if byName[p.Name].Float32(w); m.halves(p) {
			roundBF16(w)
		}
		return nil
	})
}

// serving returns a Serving of c without its memory.
func (c Config) serving(exec nn.Exec) *Serving {
	return &Serving{Config: c, exec: exec, weights: families[c.Family].weights(c)}
}

// newServing builds a Serving from the weights that read sets, one at a time. They lie outside Go's
// heap, of which the collector lets twice as much be taken as is in use.
func newServing(c Config, exec nn.Exec, read func(p *nn.Param, w []float32) error) (*Serving, error) {
	s := c.serving(exec)
	one, err := tensor.NewArena(4 * s.largest())
	if err != nil {
		return nil, err
	}
	defer one.Close()
	if s.arena, err = tensor.NewArena(s.planned() + s.alignment()); err != nil {
		return nil, err
	}
	runtime.AddCleanup(s, func(a *tensor.Arena) { a.Close() }, s.arena) // for who forgets Close
	largest := one.F32(s.largest())
	for _, p := range s.weights.all() {
		w := largest[:p.Len()]
		if err := read(p, w); err != nil {
			return nil, errors.Join(err, s.Close())
		}
		s.keep(p, w)
	}
	s.pass = newPass(s)
	return s, nil
}

// Close returns the memory of the weights; the Serving must not be used any more.
func (s *Serving) Close() error { return s.arena.Close() }

// keep copies w (of p) to where the layers read it: products from packed matrices, the embedding
// row by row, and vectors as they are.
func (s *Serving) keep(p *nn.Param, w []float32) {
	if s.looksUp(p) && s.DType == BFloat16 {
		p.Half = s.arena.BF16(len(w))
		tensor.ToBF16s(p.Half, w)
	} else if s.looksUp(p) || p.Vector {
		p.W = s.arena.F32(len(w))
		copy(p.W, w)
	}
	if !s.weights.multiplies(p) {
		return
	}
	m := gemm.Matrix{Rows: p.Cols, Cols: p.Rows, Stride: p.Cols, Trans: true, F32: w}
	if s.exec.Int8 {
		p.Packed = gemm.PackInt8In(s.arena, s.exec.Pool, s.exec.Kernel, m)
	} else {
		p.Packed = gemm.PackIn(s.arena, s.exec.Pool, s.exec.Kernel, m)
	}
}

// looksUp tells whether rows of p are looked up.
func (s *Serving) looksUp(p *nn.Param) bool { return p == s.weights.embed || p == s.weights.positions }

// multiplies tells whether p is a factor of a product.
func (w *weights) multiplies(p *nn.Param) bool {
	return (p != w.embed || p == w.head) && p != w.positions && !p.Vector
}

// largest returns how many elements the largest parameter has.
func (s *Serving) largest() (n int) {
	for _, p := range s.weights.all() {
		n = max(n, p.Len())
	}
	return n
}

// alignment returns the bytes that may lie between the parameters.
func (s *Serving) alignment() int { return 3 * tensor.ArenaAlign * len(s.weights.all()) }

// ServingBytes returns the memory that the weights of such a model take in a Serving, before any
// of them is read: what Serving.Bytes will be.
func (c Config) ServingBytes(exec nn.Exec) int { return c.serving(exec).planned() }

// planned is ServingBytes.
func (s *Serving) planned() (n int) {
	for _, p := range s.weights.all() {
		if s.weights.multiplies(p) {
			n += gemm.PackedBytes(s.exec.Kernel, p.Cols, p.Rows, s.exec.Int8)
		}
		switch {
		case s.looksUp(p) && s.DType == BFloat16:
			n += 2 * p.Len()
		case s.looksUp(p) || p.Vector:
			n += 4 * p.Len()
		}
	}
	return n
}

// loadingBytes is the most that LoadServing takes beside weights: pages of the files, and of the
// arenas what is left of their last huge pages (measured: TestPlannedMemory of engine/customize).
const loadingBytes = 8 << 20

// LoadServingBytes returns the most memory that LoadServing takes: beside the weights the largest of
// them as it was read.
func (c Config) LoadServingBytes(exec nn.Exec) int {
	s := c.serving(exec)
	weights := s.planned()
	return weights + 4*s.largest() + min(weights/4, loadingBytes)
}

// KeptBytes returns the memory that products keep after training, for as long as the process lives.
func (c Config) KeptBytes(exec nn.Exec) int {
	s := c.serving(exec)
	var packed []int
	for _, p := range s.weights.all() {
		if s.weights.multiplies(p) {
			packed = append(packed, gemm.PackedBytes(exec.Kernel, p.Cols, p.Rows, false))
		}
	}
	return gemm.KeptBytes(packed)
}

// ReadBytes returns how many bytes of weights every pass through the model reads.
func (s *Serving) ReadBytes() (n int) {
	for _, p := range s.weights.all() {
		if p.Packed != nil {
			n += p.Packed.Bytes()
		}
	}
	return n
}

// Bytes returns the memory that the weights take.
func (s *Serving) Bytes() int {
	n := 0
	for _, p := range s.weights.all() {
		n += 2*len(p.Half) + 4*len(p.W)
		if p.Packed != nil {
			n += p.Packed.Bytes()
		}
	}
	return n
}

// Session is one document on its way through a Serving: its keys and values so far. A
// session belongs to the Serving that made it and takes part in one Forward at a time.
type Session struct {
	owner   *Serving
	adapter *Adapter           // nil for none
	caches  []*attention.Cache // of each layer
	length  int
	max     int
}

// NewSession returns an empty session for up to tokens tokens. The error says that the
// model has not so many positions.
func (s *Serving) NewSession(tokens int) (*Session, error) {
	if tokens < 1 || tokens > s.Context {
		return nil, fmt.Errorf("a session of %d tokens: the model has %d positions", tokens, s.Context)
	}
	n := &Session{owner: s, max: tokens}
	for range s.Layers {
		n.caches = append(n.caches, attention.NewCache(s.exec.Kernel, s.attention()))
	}
	return n, nil
}

// SessionBytes returns the memory that a session of that many tokens takes, in whole pages,
// where products are done by k.
func (c Config) SessionBytes(k *gemm.Kernel, tokens int) int {
	pages := (tokens + attention.PageTokens - 1) / attention.PageTokens
	return c.Layers * pages * attention.PageBytes(k, c.attention())
}

// SessionBytes returns the memory that a session of that many tokens takes, in whole pages.
func (s *Serving) SessionBytes(tokens int) int { return s.Config.SessionBytes(s.exec.Kernel, tokens) }

// Len returns how many tokens the session holds.
func (n *Session) Len() int { return n.length }

// Truncate forgets all but the first tokens tokens, so that a prompt that begins alike can
// go on from there. Panics if the session holds fewer.
func (n *Session) Truncate(tokens int) {
	if tokens < 0 || tokens > n.length {
		panic("model: Truncate beyond the session")
	}
	n.length = tokens
	for _, c := range n.caches {
		c.Truncate(tokens)
	}
}

// Prefix returns a session for up to max tokens that holds the first tokens tokens of n, and
// shares their memory with it page by page (attention.PageTokens); the two then go their own
// ways. n must not be in a Forward meanwhile. The error says that the model has not so many
// positions. Panics if n holds fewer tokens, or max is less.
func (n *Session) Prefix(tokens, max int) (*Session, error) {
	if tokens < 0 || tokens > n.length || max < tokens {
		panic("model: Prefix beyond the session")
	}
	p, err := n.owner.NewSession(max)
	if err != nil {
		return nil, err
	}
	p.adapter, p.length = n.adapter, tokens
	for i, c := range n.caches {
		p.caches[i] = c.Prefix(tokens)
	}
	return p, nil
}

// Step is new tokens of one session: a prompt, or the token that was sampled last.
type Step struct {
	Session *Session
	Tokens  []int32
}

// check returns an error that names the first step which cannot be run.
func (s *Serving) check(steps []Step) error {
	seen := make(map[*Session]bool, len(steps))
	for i, st := range steps {
		n := st.Session
		switch {
		case n.owner != s:
			return fmt.Errorf("step %d: the session belongs to another model", i)
		case seen[n]:
			return fmt.Errorf("step %d: the session takes part twice", i)
		case len(st.Tokens) == 0:
			return fmt.Errorf("step %d has no tokens", i)
		case n.length+len(st.Tokens) > n.max:
			return fmt.Errorf("step %d: %d tokens after %d are more than the session's %d", i, len(st.Tokens), n.length, n.max)
		}
		for _, t := range st.Tokens {
			if t < 0 || int(t) >= s.Vocab {
				return fmt.Errorf("step %d: token %d is not in a vocabulary of %d", i, t, s.Vocab)
			}
		}
		seen[n] = true
	}
	return nil
}
