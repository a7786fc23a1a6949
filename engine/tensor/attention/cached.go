package attention

import "outcrop.dev/outcrop/engine/tensor/gemm"

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
// qkv (N,Width), out (N,H·D); the caches hold positions 0 to Pos of each document, and what
// they hold beyond is forgotten. Panics if a cache holds less.
func (a *Attention) ForwardCached(r Rule, runs []Cached, out, qkv []float32) {
	a.tasks, a.runs = a.tasks[:0], a.runs[:0]
	several := 0
	for _, run := range runs {
		run.Cache.Truncate(run.Pos)
		run.Cache.grow(run.Pos + run.Len)
		run.Cache.length = run.Pos + run.Len
		if run.Len == 1 {
			continue
		}
		several++
		for row := 0; row < run.Len; row += queryRows {
			for h := range a.Heads {
				a.tasks = append(a.tasks, task{run.Segment, h, row})
				a.runs = append(a.runs, run)
			}
		}
	}
	if several > 0 {
		a.pool.For(len(runs)*a.KVHeads, func(i, _ int) {
			if run := runs[i/a.KVHeads]; run.Len > 1 {
				a.remember(run, i%a.KVHeads, qkv)
			}
		})
		a.pool.For(len(a.tasks), func(i, w int) { a.forwardCached(&a.workers[w], r, a.tasks[i], a.runs[i], out, qkv) })
	}
	if several < len(runs) {
		a.pool.For(len(runs)*a.KVHeads, func(i, w int) {
			if run := runs[i/a.KVHeads]; run.Len == 1 {
				a.decode(&a.workers[w], r, run, i%a.KVHeads, out, qkv)
			}
		})
	}
	clear(a.runs) // the caches may be given up before the next call
}

// remember puts the keys and values of key head kv into the cache.
func (a *Attention) remember(run Cached, kv int, qkv []float32) {
	d, width := a.HeadSize, a.Width()
	run.Cache.keys[kv].Put(run.Pos, view(qkv, run.Start, a.key(kv), run.Len, d, width))
	run.Cache.values[kv].Put(run.Pos, view(qkv, run.Start, a.value(kv), run.Len, d, width))
}

// scores returns scratch for n scores.
func (w *worker) scores(n int) []float32 {
	if n > len(w.s) {
		w.s = make([]float32, max(n, 2*len(w.s)))
	}
	return w.s[:n]
}

// forwardCached is forward over a cache.
func (a *Attention) forwardCached(w *worker, r Rule, t task, run Cached, out, qkv []float32) {
	d, kv := a.HeadSize, t.head/a.group()
	rows := min(queryRows, t.seg.Len-t.row)
	at, pos := t.seg.Start+t.row, run.Pos+t.row
	lo := r.from(pos)
	n := pos + rows - lo
	s := w.scores(rows * n)
	gemm.MulPaged(s, n, view(qkv, at, a.query(t.head), rows, d, a.Width()), &run.Cache.keys[kv], lo, n)
	for i := range rows {
		r.softmax(s[i*n:(i+1)*n], lo, pos+i, a.scale(r))
	}
	gemm.MulPaged(out[at*a.Heads*d+a.query(t.head):], a.Heads*d, dense(s, rows, n), &run.Cache.values[kv], lo, n)
}

// decode puts the one new row of run into the cache and computes the query heads that share
// key head kv, as the rows of one product.
func (a *Attention) decode(w *worker, r Rule, run Cached, kv int, out, qkv []float32) {
	a.remember(run, kv, qkv)
	d, group, lo := a.HeadSize, a.group(), r.from(run.Pos)
	n := run.Pos + 1 - lo
	s := w.scores(group * n)
	q := dense(qkv[run.Start*a.Width()+a.query(kv*group):], group, d)
	gemm.MulPaged(s, n, q, &run.Cache.keys[kv], lo, n)
	for i := range group {
		r.softmax(s[i*n:(i+1)*n], lo, run.Pos, a.scale(r))
	}
	gemm.MulPaged(out[(run.Start*a.Heads+kv*group)*d:], d, dense(s, group, n), &run.Cache.values[kv], lo, n)
}
