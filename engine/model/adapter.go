package model

import (
	"fmt"

	"outcrop.dev/outcrop/engine/nn"
)

// Adapter is a LoRA in memory for generation beside a Serving, which any number of them
// share: a session carries one or none, and sessions with different ones run in the same
// Forward, with the bits that each would get alone (TestServingAdapters). It holds nothing
// that needs to be released.
type Adapter struct {
	LoRA  LoRA
	owner *Serving
	low   map[*nn.Param]*nn.LowRank // by the weights that it goes with
	width int                       // the most columns that t has in any layer
	bytes int
}

// LoadAdapter reads the adapter in dir, in PEFT's layout, and packs it for the kernel; it may
// be called while Forward runs. The error names the file and the member or tensor that is
// missing, not known, not supported, or does not fit the model.
func (s *Serving) LoadAdapter(dir string) (*Adapter, error) {
	f, err := openAdapter(dir, s.Config)
	if err != nil {
		return nil, err
	}
	defer f.close()
	w := families[s.Family].weights(s.Config)
	w.adapt(f.lora, f.selects)
	a := &Adapter{LoRA: f.lora, owner: s, low: map[*nn.Param]*nn.LowRank{}}
	own := s.weights.linears()
	for i, p := range w.linears() {
		if p.Adapter == nil {
			continue
		}
		for _, p := range paramsOf([]*nn.Adapter{p.Adapter}) {
			p.W = make([]float32, p.Len())
			if err := readParam(f.weights, p, p.W); err != nil {
				return nil, fmt.Errorf("%s: %w", dir, err)
			}
		}
		low := p.Adapter.Pack(s.exec)
		a.low[own[i]] = low
		a.width, a.bytes = max(a.width, low.Width()), a.bytes+low.Bytes()
	}
	return a, nil
}

// Bytes returns the memory that the adapter takes.
func (a *Adapter) Bytes() int { return a.bytes }

// NewSession is Serving.NewSession for a session that carries the adapter.
func (a *Adapter) NewSession(tokens int) (*Session, error) {
	n, err := a.owner.NewSession(tokens)
	if err == nil {
		n.adapter = a
	}
	return n, err
}

// adapterRows is how many rows of one adapter a task takes.
const adapterRows = 32

// adapted is what the adapters of a pass need.
type adapted struct {
	groups []group
	low    []float32 // (servingRows,width) the results between the factors, of the widest so far
}

// group is rows [from,to) of a pass, which carry one adapter.
type group struct {
	adapter  *Adapter
	from, to int
}

// add notes that rows [from,to) of a pass belong to a session.
func (a *adapted) add(n *Session, from, to int) {
	if n.adapter == nil {
		return
	}
	if last := len(a.groups) - 1; last >= 0 {
		// One task for neighbours that share an adapter, as long as it is not full.
		if g := &a.groups[last]; g.adapter == n.adapter && g.to == from {
			more := min(to, g.from+adapterRows) - g.to
			g.to, from = g.to+more, from+more
		}
	}
	for ; from < to; from += adapterRows {
		a.groups = append(a.groups, group{n.adapter, from, min(to, from+adapterRows)})
	}
	if need := servingRows * n.adapter.width; len(a.low) < need {
		a.low = make([]float32, need)
	}
}

// adapt adds to y (n,out) what the adapters of the rows say about the product of x (n,in)
// with w: it is nn.Exec's Adapt.
func (a *adapted) adapt(e nn.Exec, y, x []float32, w *nn.Param) {
	width := len(a.low) / servingRows
	e.Pool.For(len(a.groups), func(i, _ int) {
		g := a.groups[i]
		if low := g.adapter.low[w]; low != nil {
			low.Forward(nn.Exec{Kernel: e.Kernel}, y[g.from*w.Rows:], x[g.from*w.Cols:], a.low[g.from*width:], g.to-g.from)
		}
	})
}
