package attention

import (
	"math"

	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/gemm"
)

// queryRows is the height of a block of queries. A higher one packs keys and values less
// often, a lower one computes fewer masked scores; `go test -bench Attention` shows 64 and
// 512 slower at documents of 512 tokens, and little difference in between.
const queryRows = 128

// Shape is the layout of one row of queries, keys and values: first Heads queries, then
// KVHeads keys, then KVHeads values, HeadSize channels each. Query head h reads key and
// value head h / (Heads/KVHeads).
type Shape struct{ Heads, KVHeads, HeadSize int }

// Width returns the channels of such a row.
func (s Shape) Width() int { return (s.Heads + 2*s.KVHeads) * s.HeadSize }

// group returns how many query heads share one key head.
func (s Shape) group() int { return s.Heads / s.KVHeads }

func (s Shape) query(h int) int  { return h * s.HeadSize }
func (s Shape) key(kv int) int   { return (s.Heads + kv) * s.HeadSize }
func (s Shape) value(kv int) int { return (s.Heads + s.KVHeads + kv) * s.HeadSize }

// Rule is what one layer's attention may do differently from another's.
type Rule struct {
	// Scale multiplies the scores; 0 means 1/√D.
	Scale float32
	// Window is how many tokens a token sees, itself the last of them; 0 means all.
	Window int
}

func (s Shape) scale(r Rule) float32 {
	if r.Scale != 0 {
		return r.Scale
	}
	return float32(1 / math.Sqrt(float64(s.HeadSize)))
}

// first returns the first position that the token at pos sees.
func (r Rule) first(pos int) int {
	if r.Window == 0 {
		return 0
	}
	return max(0, pos+1-r.Window)
}

// keyUnit is what the first key of a block of scores is a multiple of. Products add up in
// groups of neighbours along the keys; with blocks that begin at multiples of a group, a
// sum does not depend on where its block begins (TestCachedEqualsWhole).
const keyUnit = PageTokens

// from returns the first key of a block of queries that begins at position pos.
func (r Rule) from(pos int) int { return r.first(pos) / keyUnit * keyUnit }

// softmax turns the scores s of the token at pos with the keys from lo on into
// probabilities, and returns their log-sum-exp.
func (r Rule) softmax(s []float32, lo, pos int, scale float32) float32 {
	first := r.first(pos) - lo
	clear(s[:first])
	return SoftmaxRow(s[first:], pos+1-lo-first, scale)
}

// Segment is one document in the stream: rows Start to Start+Len.
type Segment struct{ Start, Len int }

// Attention computes causal attention for one shape. It keeps scratch memory for each
// worker of its pool, so one call runs at a time.
type Attention struct {
	Shape
	pool    *tensor.Pool
	kernel  *gemm.Kernel
	workers []worker
	tasks   []task
	runs    []Cached // of each task, when cached
}

type worker struct {
	s, dp []float32 // (queryRows,T) scores and their gradients
}

type task struct {
	seg  Segment
	head int // query head, or key head in the backward pass
	row  int // first query row of the block, within the segment
}

// NewCached returns an Attention for ForwardCached. Its scratch grows with the documents.
func NewCached(pool *tensor.Pool, kernel *gemm.Kernel, s Shape) *Attention {
	return New(pool, kernel, s, 0, func(n int) []float32 { return make([]float32, n) })
}

// New returns an Attention for segments of up to longest tokens; alloc provides its scratch.
func New(pool *tensor.Pool, kernel *gemm.Kernel, s Shape, longest int, alloc func(n int) []float32) *Attention {
	if s.KVHeads <= 0 || s.Heads%s.KVHeads != 0 {
		panic("attention: query heads must be a multiple of key heads")
	}
	a := &Attention{Shape: s, pool: pool, kernel: kernel, workers: make([]worker, pool.Threads())}
	for i := range a.workers {
		a.workers[i] = worker{alloc(queryRows * longest), alloc(queryRows * longest)}
	}
	return a
}

// Forward sets out[t,h] = Σ_{u≤t} softmax_u(scale·q[t,h]·k[u])·v[u] over the u of t's segment
// and window, and lse[t,h], the log-sum-exp of the scaled scores, for Backward.
//
// qkv (N,Width), out (N,H·D), lse (N,H), all row-major float32. A row's result depends on
// the rows of its segment up to its own only, bit for bit (TestPackedEqualsAlone).
// Cost 2·H·D·T² multiply-adds a segment, half of them skipped, and what is before the window
// of a whole block. Panics if slices are short.
func (a *Attention) Forward(r Rule, segs []Segment, out, lse, qkv []float32) {
	a.plan(segs, a.Heads)
	a.pool.For(len(a.tasks), func(i, w int) { a.forward(&a.workers[w], r, a.tasks[i], out, lse, qkv) })
}

// plan lists the blocks of every segment and head, longest first within a segment.
func (a *Attention) plan(segs []Segment, heads int) {
	a.tasks = a.tasks[:0]
	for _, seg := range segs {
		last := (seg.Len - 1) / queryRows * queryRows
		for row := last; row >= 0; row -= queryRows {
			for h := range heads {
				a.tasks = append(a.tasks, task{seg, h, row})
			}
		}
	}
}

func (a *Attention) forward(w *worker, r Rule, t task, out, lse, qkv []float32) {
	width, kv := a.Width(), t.head/a.group()
	rows := min(queryRows, t.seg.Len-t.row)
	lo := r.from(t.row)
	n := t.row + rows - lo // keys that the block may see
	at, start := t.seg.Start+t.row, t.seg.Start+lo
	q := view(qkv, at, a.query(t.head), rows, a.HeadSize, width)
	k := view(qkv, start, a.key(kv), n, a.HeadSize, width)
	v := view(qkv, start, a.value(kv), n, a.HeadSize, width)

	s := w.s[:rows*n]
	gemm.Mul(nil, a.kernel, s, n, q, transposed(k), false)
	for i := range rows {
		lse[(at+i)*a.Heads+t.head] = r.softmax(s[i*n:(i+1)*n], lo, t.row+i, a.scale(r))
	}
	c := a.Heads * a.HeadSize
	gemm.Mul(nil, a.kernel, out[at*c+a.query(t.head):], c, dense(s, rows, n), v, false)
}

// Backward sets dqkv, the gradient of Forward's qkv, from dout, that of out.
//
// It sets and does not add: qkv has this one consumer. Shapes as in Forward. One task
// takes all queries of one key head in one segment, in a fixed order, so the result does
// not depend on threads (TestThreads). Cost five products, of which half is skipped.
func (a *Attention) Backward(r Rule, segs []Segment, dqkv, dout, out, lse, qkv []float32) {
	a.tasks = a.tasks[:0]
	for _, seg := range segs {
		for kv := range a.KVHeads {
			if seg.Len > 0 {
				a.tasks = append(a.tasks, task{seg: seg, head: kv})
			}
		}
	}
	a.pool.For(len(a.tasks), func(i, w int) {
		t := a.tasks[i]
		last := (t.seg.Len - 1) / queryRows * queryRows
		for g := range a.group() {
			for t.row = last; t.row >= 0; t.row -= queryRows {
				b := block{task: t, h: t.head*a.group() + g, fresh: g == 0 && t.row == last}
				a.backward(&a.workers[w], r, b, dqkv, dout, out, lse, qkv)
			}
		}
	})
}

// block is one block of query rows of query head h. The last rows come first: they see
// every key from their window on, and so the first block of a task may set dk and dv
// (fresh), the others add.
type block struct {
	task
	h     int
	fresh bool
}

func (a *Attention) backward(w *worker, r Rule, b block, dqkv, dout, out, lse, qkv []float32) {
	width, c, d := a.Width(), a.Heads*a.HeadSize, a.HeadSize
	rows := min(queryRows, b.seg.Len-b.row)
	lo := r.from(b.row)
	n := b.row + rows - lo
	start, at := b.seg.Start+lo, b.seg.Start+b.row
	if b.fresh {
		a.clearBefore(b.seg.Start, start, b.head, dqkv)
	}
	q := view(qkv, at, a.query(b.h), rows, d, width)
	k := view(qkv, start, a.key(b.head), n, d, width)
	v := view(qkv, start, a.value(b.head), n, d, width)
	do := view(dout, at, a.query(b.h), rows, d, c)

	s, dp := w.s[:rows*n], w.dp[:rows*n]
	gemm.Mul(nil, a.kernel, s, n, q, transposed(k), false)   // s = q·kᵀ, as Forward did
	gemm.Mul(nil, a.kernel, dp, n, do, transposed(v), false) // out = p·v
	for i := range rows {
		o, first := (at+i)*c+a.query(b.h), r.first(b.row+i)-lo
		delta := Dot(dout[o:o+d], out[o:o+d])
		si, dpi := s[i*n:(i+1)*n], dp[i*n:(i+1)*n]
		clear(si[:first])
		clear(dpi[:first])
		SoftmaxBackwardRow(si[first:], dpi[first:], b.row+i+1-lo-first, a.scale(r), lse[(at+i)*a.Heads+b.h], delta)
	}
	p, ds := dense(s, rows, n), dense(dp, rows, n)
	gemm.Mul(nil, a.kernel, dqkv[at*width+a.query(b.h):], width, ds, k, false)                      // s = q·kᵀ
	gemm.Mul(nil, a.kernel, dqkv[start*width+a.key(b.head):], width, transposed(ds), q, !b.fresh)   // s = q·kᵀ
	gemm.Mul(nil, a.kernel, dqkv[start*width+a.value(b.head):], width, transposed(p), do, !b.fresh) // out = p·v
}

// clearBefore zeroes the gradients of the keys and values of rows from to to, which the
// fresh block does not see.
func (a *Attention) clearBefore(from, to, kv int, dqkv []float32) {
	for i := from; i < to; i++ {
		row := dqkv[i*a.Width() : (i+1)*a.Width()]
		clear(row[a.key(kv):][:a.HeadSize])
		clear(row[a.value(kv):][:a.HeadSize])
	}
}

// view returns rows×cols of x (row length stride) from row at, column col.
func view(x []float32, at, col, rows, cols, stride int) gemm.Matrix {
	return gemm.Matrix{Rows: rows, Cols: cols, Stride: stride, F32: x[at*stride+col:]}
}

func dense(x []float32, rows, cols int) gemm.Matrix {
	return gemm.Matrix{Rows: rows, Cols: cols, Stride: cols, F32: x}
}

func transposed(m gemm.Matrix) gemm.Matrix {
	m.Rows, m.Cols, m.Trans = m.Cols, m.Rows, !m.Trans
	return m
}
