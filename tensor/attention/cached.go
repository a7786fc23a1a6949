package attention

import "outcrop.dev/outcrop/tensor/gemm"

// Cache keeps the keys and values of one document in one layer.
type Cache struct {
	cap    int
	keys   []float32 // (G,D,cap): transposed, as the product with queries reads them
	values []float32 // (G,cap,D)
}

// NewCache returns a cache for up to tokens tokens; alloc provides its memory.
func NewCache(s Shape, tokens int, alloc func(n int) []float32) *Cache {
	n := s.KVHeads * s.HeadSize * tokens
	return &Cache{cap: tokens, keys: alloc(n), values: alloc(n)}
}

// Cached is a run of new rows of one document: rows Start to Start+Len of qkv are its
// positions Pos to Pos+Len.
type Cached struct {
	Cache *Cache
	Segment
	Pos int
}

// ForwardCached puts the keys and values of the new rows into their caches and sets out as
// Forward would for the whole documents, bit for bit (TestCachedEqualsWhole).
//
// qkv (N,Width), out (N,H·D); the caches hold positions 0 to Pos of each document. Panics
// if a cache is too small.
func (a *Attention) ForwardCached(r Rule, runs []Cached, out, qkv []float32) {
	a.pool.For(len(runs)*a.KVHeads, func(i, _ int) {
		a.remember(runs[i/a.KVHeads], i%a.KVHeads, qkv)
	})
	a.tasks, a.runs = a.tasks[:0], a.runs[:0]
	for _, run := range runs {
		for row := 0; row < run.Len; row += queryRows {
			for h := range a.Heads {
				a.tasks = append(a.tasks, task{run.Segment, h, row})
				a.runs = append(a.runs, run)
			}
		}
	}
	a.pool.For(len(a.tasks), func(i, w int) { a.forwardCached(&a.workers[w], r, a.tasks[i], a.runs[i], out, qkv) })
}

// remember copies the keys and values of key head kv into the cache.
func (a *Attention) remember(r Cached, kv int, qkv []float32) {
	d, width, c := a.HeadSize, a.Width(), r.Cache
	keys, values := c.keys[kv*d*c.cap:(kv+1)*d*c.cap], c.values[kv*d*c.cap:(kv+1)*d*c.cap]
	for i := range r.Len {
		row := qkv[(r.Start+i)*width : (r.Start+i+1)*width]
		pos := r.Pos + i
		for j, x := range row[a.key(kv):][:d] {
			keys[j*c.cap+pos] = x
		}
		copy(values[pos*d:(pos+1)*d], row[a.value(kv):])
	}
}

// scores returns scratch for n scores.
func (w *worker) scores(n int) []float32 {
	if n > len(w.s) {
		w.s = make([]float32, max(n, 2*len(w.s)))
	}
	return w.s[:n]
}

func (a *Attention) forwardCached(w *worker, r Rule, t task, run Cached, out, qkv []float32) {
	d, kv, c := a.HeadSize, t.head/a.group(), run.Cache
	rows := min(queryRows, t.seg.Len-t.row)
	at, pos := t.seg.Start+t.row, run.Pos+t.row
	lo := r.from(pos)
	n := pos + rows - lo
	q := view(qkv, at, a.query(t.head), rows, d, a.Width())
	k := gemm.Matrix{Rows: d, Cols: n, Stride: c.cap, F32: c.keys[kv*d*c.cap+lo : (kv+1)*d*c.cap]}
	v := gemm.Matrix{Rows: n, Cols: d, Stride: d, F32: c.values[(kv*c.cap+lo)*d : (kv+1)*d*c.cap]}

	s := w.scores(rows * n)
	gemm.Mul(nil, a.kernel, s, n, q, k, false)
	for i := range rows {
		r.softmax(s[i*n:(i+1)*n], lo, pos+i, a.scale(r))
	}
	gemm.Mul(nil, a.kernel, out[at*a.Heads*d+a.query(t.head):], a.Heads*d, dense(s, rows, n), v, false)
}
