package model

import (
	"fmt"

	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/engine/tensor/attention"
)

// pass is the layers with the memory of one pass: at most servingRows rows.
type pass struct {
	decoder
	stream nn.Stream
	last   []float32 // (N,C) the last row of each step that ends in the pass
	adapted
}

func newPass(s *Serving) pass {
	alloc := func(n int) []float32 { return make([]float32, n) }
	n, w := servingRows, s.weights
	att := attention.NewCached(s.exec.Pool, s.exec.Kernel, s.attention())
	scratch := nn.NewScratch(att, &w.layers[0], n, false, alloc)
	p := pass{decoder: s.decoder(w, n, n, alloc), last: alloc(n * s.Hidden)}
	p.x = alloc(n * s.Hidden)
	kept := nn.NewServingKept(&w.layers[0], p.x, n, alloc)
	for i := range w.layers {
		p.blocks = append(p.blocks, nn.NewBlock(&w.layers[i], p.shapes[i], p.x, n, kept, scratch, alloc))
	}
	return p
}

// Forward takes the new tokens of each step through the model and returns the logits of
// the last one of each, (len(steps),V), which are the caller's. Prompts of any length and
// single tokens may be mixed; what is computed for one session does not depend on the
// others, nor on how its tokens are cut into calls, bit for bit (TestServingEqualsTraining).
// The error says which step cannot be run; then nothing has been changed.
func (s *Serving) Forward(steps []Step) ([]float32, error) {
	logits := make([]float32, len(steps)*s.Vocab)
	if err := s.ForwardInto(logits, steps); err != nil {
		return nil, err
	}
	return logits, nil
}

// ForwardInto is Forward with the memory for the logits, all of which it sets. Panics if that is
// of another length.
func (s *Serving) ForwardInto(logits []float32, steps []Step) error {
	if len(logits) != len(steps)*s.Vocab {
		panic(fmt.Sprintf("model: %d logits of %d steps", len(logits), len(steps)))
	}
	if err := s.check(steps); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	left := make([][]int32, len(steps))
	for i, st := range steps {
		left[i] = st.Tokens
	}
	for {
		parts := s.nextParts(steps, left)
		if len(parts) == 0 {
			return nil
		}
		s.forward(parts, logits)
	}
}

// part is the tokens of one step that go into one pass.
type part struct {
	step    int
	session *Session
	tokens  []int32
	last    bool // of the step
}

// nextParts takes up to servingRows tokens off left, steps in order.
func (s *Serving) nextParts(steps []Step, left [][]int32) (parts []part) {
	room := servingRows
	for i := range left {
		n := min(room, len(left[i]))
		if n > 0 {
			parts = append(parts, part{i, steps[i].Session, left[i][:n], n == len(left[i])})
			left[i], room = left[i][n:], room-n
		}
	}
	return parts
}

// forward runs the parts through the layers, and the last row of finished steps through the head.
func (s *Serving) forward(parts []part, logits []float32) {
	p, exec := &s.pass, s.exec
	p.begin(parts)
	if len(p.groups) > 0 {
		exec.Adapt = p.adapt
	}
	p.decoder.forward(exec, &p.stream, func(layer int) {
		for i, part := range parts {
			p.stream.Runs[i].Cache = part.session.caches[layer]
		}
	})
	p.forget()
	rows, first := p.ends(parts, s.Hidden)
	if rows == 0 {
		return
	}
	p.norm.Forward(s.exec, p.last, p.last, rows)
	nn.Linear{W: s.weights.head}.Forward(s.exec, logits[first*s.Vocab:], p.last, rows, false)
}

// begin fills in the stream.
func (p *pass) begin(parts []part) {
	st, longest := &p.stream, 0
	st.Tokens, st.Positions, st.Runs, p.groups = st.Tokens[:0], st.Positions[:0], st.Runs[:0], p.groups[:0]
	for _, part := range parts {
		at, pos := len(st.Tokens), part.session.length
		st.Tokens = append(st.Tokens, part.tokens...)
		for i := range part.tokens {
			st.Positions = append(st.Positions, int32(pos+i))
		}
		segment := attention.Segment{Start: at, Len: len(part.tokens)}
		st.Runs = append(st.Runs, attention.Cached{Segment: segment, Pos: pos})
		p.adapted.add(part.session, at, len(st.Tokens))
		longest = max(longest, pos+len(part.tokens))
	}
	p.ropes.grow(longest)
}

// forget lets go of the sessions' caches and adapters: they may end before the next pass.
func (p *pass) forget() {
	clear(p.stream.Runs)
	clear(p.groups)
}

// ends counts the tokens as the sessions', gathers the last row of each step that has
// ended, and returns how many these are and the first of the steps: they end in order, and
// so stand side by side.
func (p *pass) ends(parts []part, c int) (rows, first int) {
	at := -1
	for _, part := range parts {
		at += len(part.tokens)
		part.session.length += len(part.tokens)
		if !part.last {
			continue
		}
		if rows == 0 {
			first = part.step
		}
		copy(p.last[rows*c:(rows+1)*c], p.x[at*c:(at+1)*c])
		rows++
	}
	return rows, first
}
