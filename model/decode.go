package model

import (
	"outcrop.dev/outcrop/tensor/act"
	"outcrop.dev/outcrop/tensor/attention"
	"outcrop.dev/outcrop/tensor/gemm"
	"outcrop.dev/outcrop/tensor/norm"
	"outcrop.dev/outcrop/tensor/rope"
)

// servingActivations is the memory of one pass: n is at most servingRows rows.
type servingActivations struct {
	attention *attention.Attention
	x, xn     []float32 // (n,C)
	rstd      []float32 // (n)
	qkv       []float32 // (n,(H+2G)·D)
	att       []float32 // (n,H·D)
	gateUp    []float32 // (n,2F)
	act       []float32 // (n,F)
	positions []int
	runs      []attention.Cached
	adapted   []adapted
	low       []float32 // (n,width) what adapters need, of the widest so far
}

func (a *servingActivations) init(s *Serving) {
	alloc := func(n int) []float32 { return make([]float32, n) }
	n, c := servingRows, s.Config
	a.attention = attention.NewCached(s.exec.Pool, s.exec.Kernel, s.shape)
	a.x, a.xn, a.rstd = alloc(n*c.Hidden), alloc(n*c.Hidden), alloc(n)
	a.qkv, a.att = alloc(n*c.qkv()), alloc(n*c.Heads*c.HeadSize)
	a.gateUp, a.act = alloc(n*2*c.FFN), alloc(n*c.FFN)
}

// Forward takes the new tokens of each step through the model and returns the logits of
// the last one of each, (len(steps),V), which are the caller's. Prompts of any length and
// single tokens may be mixed; what is computed for one session does not depend on the
// others, nor on how its tokens are cut into calls, bit for bit (TestServingEqualsTraining).
// The error says which step cannot be run; then nothing has been changed.
func (s *Serving) Forward(steps []Step) ([]float32, error) {
	if err := s.check(steps); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	logits := make([]float32, len(steps)*s.Vocab)
	left := make([][]int32, len(steps))
	for i, st := range steps {
		left[i] = st.Tokens
	}
	for {
		pass := s.nextPass(steps, left)
		if len(pass) == 0 {
			return logits, nil
		}
		s.pass(pass, logits)
	}
}

// part is the tokens of one step that go into one pass.
type part struct {
	step    int
	session *Session
	tokens  []int32
	last    bool // of the step
}

// nextPass takes up to servingRows tokens off left, steps in order.
func (s *Serving) nextPass(steps []Step, left [][]int32) (pass []part) {
	room := servingRows
	for i := range left {
		n := min(room, len(left[i]))
		if n > 0 {
			pass = append(pass, part{i, steps[i].Session, left[i][:n], n == len(left[i])})
			left[i], room = left[i][n:], room-n
		}
	}
	return pass
}

// pass runs the parts through the layers, and the last row of finished steps through the head.
func (s *Serving) pass(parts []part, logits []float32) {
	n := s.embedRows(parts)
	for l := range s.blocks {
		s.block(l, parts, n)
	}
	a, c, rows := &s.act, s.Hidden, 0
	at := -1
	for _, p := range parts {
		at += len(p.tokens)
		p.session.length += len(p.tokens)
		if p.last {
			copy(a.xn[rows*c:(rows+1)*c], a.x[at*c:(at+1)*c])
			rows++
		}
	}
	if rows == 0 {
		return
	}
	// Steps end in order, so the finished ones of a pass stand side by side.
	first := 0
	for !parts[first].last {
		first++
	}
	norm.RMSNorm(a.xn[:rows*c], a.rstd[:rows], a.xn[:rows*c], s.norm, float32(s.NormEps))
	y := logits[parts[first].step*s.Vocab:]
	gemm.MulPacked(s.exec.Pool, s.exec.Kernel, y, s.Vocab, matrix(a.xn, rows, c), s.head, false)
}

// embedRows looks the tokens up, fills in positions and runs, and returns the number of rows.
func (s *Serving) embedRows(parts []part) int {
	a, n := &s.act, 0
	a.positions, a.runs, a.adapted = a.positions[:0], a.runs[:0], a.adapted[:0]
	for _, p := range parts {
		for i, t := range p.tokens {
			s.row(a.x[(n+i)*s.Hidden:(n+i+1)*s.Hidden], int(t))
			a.positions = append(a.positions, p.session.length+i)
		}
		a.runs = append(a.runs, attention.Cached{Segment: attention.Segment{Start: n, Len: len(p.tokens)}, Pos: p.session.length})
		a.addAdapted(p.session, n, n+len(p.tokens))
		n += len(p.tokens)
	}
	return n
}

func (s *Serving) row(x []float32, token int) {
	from, to := token*len(x), (token+1)*len(x)
	if s.embed == nil {
		copy(x, s.embedF[from:to])
		return
	}
	for i, w := range s.embed[from:to] {
		x[i] = w.Float32()
	}
}

// block is nn.Block.Forward over packed weights and caches.
func (s *Serving) block(l int, parts []part, n int) {
	a, b, c := &s.act, &s.blocks[l], s.Config
	x, xn := a.x[:n*c.Hidden], a.xn[:n*c.Hidden]
	eps := float32(c.NormEps)
	norm.RMSNorm(xn, a.rstd[:n], x, b.norm1, eps)
	s.mul(a.qkv, xn, n, b.qkv, false)
	turned := (c.Heads + c.KVHeads) * c.HeadSize
	for i, pos := range a.positions {
		cos, sin := s.rope.At(pos)
		rope.Rotate(a.qkv[i*c.qkv():i*c.qkv()+turned], cos, sin)
	}
	for i, p := range parts {
		a.runs[i].Cache = p.session.caches[l]
	}
	a.attention.ForwardCached(a.runs, a.att, a.qkv)
	s.mul(x, a.att, n, b.o, true)

	norm.RMSNorm(xn, a.rstd[:n], x, b.norm2, eps)
	s.mul(a.gateUp, xn, n, b.gateUp, false)
	for i := range n {
		row := a.gateUp[i*2*c.FFN : (i+1)*2*c.FFN]
		act.SwiGLU(a.act[i*c.FFN:(i+1)*c.FFN], row[:c.FFN], row[c.FFN:])
	}
	s.mul(x, a.act, n, b.down, true)
}

// mul sets y (n,out) = x·Wᵀ, or adds it, and adds what adapters say.
func (s *Serving) mul(y, x []float32, n int, w *gemm.Packed, add bool) {
	gemm.MulPacked(s.exec.Pool, s.exec.Kernel, y, w.Cols(), matrix(x, n, w.Rows()), w, add)
	if len(s.act.adapted) > 0 {
		s.adapt(y, x, w)
	}
}

func matrix(x []float32, rows, cols int) gemm.Matrix {
	return gemm.Matrix{Rows: rows, Cols: cols, Stride: cols, F32: x}
}
