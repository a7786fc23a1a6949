package model

import (
	"fmt"

	"outcrop.dev/outcrop/nn"
	"outcrop.dev/outcrop/tensor/gemm"
)

// Adapter is a LoRA in memory for generation beside a Serving, which any number of them
// share: a session carries one or none, and sessions with different ones run in the same
// Forward, with the bits that each would get alone (TestServingAdapters). It holds nothing
// that needs to be released.
type Adapter struct {
	LoRA  LoRA
	owner *Serving
	low   map[*gemm.Packed]*nn.LowRank // by the weights that it goes with
	width int                          // the most columns that t has in any layer
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
	a := &Adapter{LoRA: f.lora, owner: s, low: map[*gemm.Packed]*nn.LowRank{}}
	for _, p := range w.linears() {
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
		a.low[s.linears[p.Name]] = low
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

// adapted is rows [from,to) of a pass, which carry one adapter.
type adapted struct {
	adapter  *Adapter
	from, to int
}

// addAdapted notes that rows [from,to) of a pass belong to a session.
func (a *servingActivations) addAdapted(n *Session, from, to int) {
	if n.adapter == nil {
		return
	}
	if last := len(a.adapted) - 1; last >= 0 {
		// One task for neighbours that share an adapter, as long as it is not full.
		if g := &a.adapted[last]; g.adapter == n.adapter && g.to == from {
			more := min(to, g.from+adapterRows) - g.to
			g.to, from = g.to+more, from+more
		}
	}
	for ; from < to; from += adapterRows {
		a.adapted = append(a.adapted, adapted{n.adapter, from, min(to, from+adapterRows)})
	}
	if need := servingRows * n.adapter.width; len(a.low) < need {
		a.low = make([]float32, need)
	}
}

// adapt adds to y (n,out) what the adapters of the rows say about the product of x (n,in)
// with w.
func (s *Serving) adapt(y, x []float32, w *gemm.Packed) {
	in, out := w.Rows(), w.Cols()
	width := len(s.act.low) / servingRows
	s.exec.Pool.For(len(s.act.adapted), func(i, _ int) {
		g := s.act.adapted[i]
		if low := g.adapter.low[w]; low != nil {
			low.Forward(nn.Exec{Kernel: s.exec.Kernel}, y[g.from*out:], x[g.from*in:], s.act.low[g.from*width:], g.to-g.from)
		}
	})
}
