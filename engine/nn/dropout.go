package nn

import (
	"math"

	"outcrop.dev/outcrop/engine/tensor"
)

// Dropout sets each element of an input to zero with probability P; what is computed from the
// others is multiplied by 1/(1−P). Which elements of a row are dropped is a pure function of
// Seed, Step, the row within the step, and the layer: it does not depend on threads, on how a
// step is cut into batches, nor on what ran before, so that a resumed run drops the same.
// Srivastava et al. 2014, "Dropout: A Simple Way to Prevent Neural Networks from Overfitting".
//
// The dropped elements are few, so they alone are touched: drawn by their distances, and set
// to zero in place for the time of a product.
type Dropout struct {
	P    float64 // from 0 to less than 1
	Seed uint64
	Step uint64
	Row  int  // of the step: that of the batch's first row
	On   bool // in training, and not in evaluation

	gaps   []int32   // how many elements are kept before the next, by 16 random bits
	chosen []dropped // of each task
}

// dropped are the elements of some rows that are dropped.
type dropped []element

// element is an index and the value that was there.
type element struct {
	at    int
	value float32
}

// gapBits is how many random bits choose a distance; a word has them for several.
const (
	gapBits = 16
	perWord = 64 / gapBits
)

// active tells whether anything is dropped; a nil Dropout drops nothing.
func (d *Dropout) active() bool { return d != nil && d.On && d.P > 0 }

// scale returns what the result of an input with dropped elements is multiplied by.
func (d *Dropout) scale() float32 {
	if !d.active() {
		return 1
	}
	return float32(1 / (1 - d.P))
}

// reserve prepares for choose, in as many tasks as n rows may be cut into.
func (d *Dropout) reserve(n int) {
	if !d.active() {
		return
	}
	if d.gaps == nil {
		d.gaps = gaps(d.P)
	}
	if tasks := n/adapterRowsMin + 1; tasks > len(d.chosen) {
		d.chosen = append(d.chosen, make([]dropped, tasks-len(d.chosen))...)
	}
}

// choose draws the elements of x, rows of c of which the first is row from of the batch, that
// are dropped in a layer, and takes their values. The result is valid until the task's next
// call. An inactive Dropout drops nothing.
func (d *Dropout) choose(task int, x []float32, from, c int, layer uint64) dropped {
	if !d.active() {
		return nil
	}
	chosen := d.chosen[task][:0]
	key := tensor.Mix(tensor.Mix(tensor.Mix(d.Seed)+d.Step) + layer)
	for i := range len(x) / c {
		row := dropRow{gaps: d.gaps, key: tensor.Mix(key + uint64(d.Row+from+i))}
		for j := row.next(); j < c; j += 1 + row.next() {
			chosen = append(chosen, element{i*c + j, x[i*c+j]})
		}
	}
	d.chosen[task] = chosen
	return chosen
}

// clear sets the chosen elements of x to zero.
func (d dropped) clear(x []float32) {
	for _, o := range d {
		x[o.at] = 0
	}
}

// restore gives the chosen elements of x the values that they had.
func (d dropped) restore(x []float32) {
	for _, o := range d {
		x[o.at] = o.value
	}
}

// apply calls f while the dropped elements of x (N,C) are zero.
func (d *Dropout) apply(e Exec, x []float32, n, c int, layer uint64, f func()) {
	if !d.active() {
		f()
		return
	}
	d.reserve(n)
	e.chunks(n, func(chunk, from, to int) {
		x := x[from*c : to*c]
		d.choose(chunk, x, from, c, layer).clear(x)
	})
	f()
	e.chunks(n, func(chunk, from, to int) { d.chosen[chunk].restore(x[from*c : to*c]) })
}

// gaps returns the distances of a geometric distribution: entry u of 2¹⁶ is the quantile of
// the middle of its interval, ⌊ln(1−q)/ln(1−p)⌋, and the largest int32 where that is more: no row
// is as long.
func gaps(p float64) []int32 {
	g := make([]int32, 1<<gapBits)
	for u := range g {
		q := (float64(u) + 0.5) / (1 << gapBits)
		g[u] = int32(min(math.Log1p(-q)/math.Log1p(-p), math.MaxInt32))
	}
	return g
}

// dropRow draws the distances of one row.
type dropRow struct {
	gaps      []int32
	key, word uint64
	drawn     uint64
}

func (r *dropRow) next() int {
	if r.drawn%perWord == 0 {
		r.word = tensor.Mix(r.key + r.drawn)
	}
	gap := r.gaps[r.word%(1<<gapBits)]
	r.word >>= gapBits
	r.drawn++
	return int(gap)
}
