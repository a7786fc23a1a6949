package nn

// Dropout sets each element of an input to zero with probability P and multiplies the others
// by 1/(1−P). Whether an element is dropped is a pure function of Seed, Step, the row within
// the step, the layer and the column: it does not depend on threads, on how a step is cut
// into batches, nor on what ran before, so that a resumed run drops the same.
// Srivastava et al. 2014, "Dropout: A Simple Way to Prevent Neural Networks from Overfitting".
type Dropout struct {
	P    float64 // from 0 to less than 1, in steps of 2⁻¹⁶
	Seed uint64
	Step uint64
	Row  int  // of the step: that of the batch's first row
	On   bool // in training, and not in evaluation
}

// dropBits is how many random bits decide about an element; a word has them for several.
const (
	dropBits = 16
	perWord  = 64 / dropBits
)

// active tells whether anything is dropped; a nil Dropout drops nothing.
func (d *Dropout) active() bool { return d != nil && d.On && d.P > 0 }

// forward sets y to x after dropout. x, y (N,C).
func (d *Dropout) forward(e Exec, y, x []float32, n, c int, layer uint64) {
	keep, limit := d.factors()
	d.words(e, n, c, layer, func(from, to int, word uint64) {
		for i := from; i < to; i++ {
			if y[i] = keep * x[i]; word%(1<<dropBits) < limit {
				y[i] = 0
			}
			word >>= dropBits
		}
	})
}

// backward adds to dx the gradient of forward's x, given dy.
func (d *Dropout) backward(e Exec, dx, dy []float32, n, c int, layer uint64) {
	keep, limit := d.factors()
	d.words(e, n, c, layer, func(from, to int, word uint64) {
		for i := from; i < to; i++ {
			if word%(1<<dropBits) >= limit {
				dx[i] += keep * dy[i] // y = keep·x
			}
			word >>= dropBits
		}
	})
}

// factors returns what kept elements are multiplied by, and the bits below which one is
// dropped.
func (d *Dropout) factors() (keep float32, limit uint64) {
	return float32(1 / (1 - d.P)), uint64(d.P * (1 << dropBits))
}

// words calls f with the random word of each few elements [from,to) of n rows of c.
func (d *Dropout) words(e Exec, n, c int, layer uint64, f func(from, to int, word uint64)) {
	key := mix(mix(mix(d.Seed)+d.Step) + layer)
	e.rows(n, func(_, first, last int) {
		for i := first; i < last; i++ {
			row := mix(key + uint64(d.Row+i))
			for j := 0; j < c; j += perWord {
				f(i*c+j, i*c+min(j+perWord, c), mix(row+uint64(j)))
			}
		}
	})
}

// mix is one step of SplitMix64: neighbouring x give words that look independent.
// Steele, Lea and Flood 2014, "Fast Splittable Pseudorandom Number Generators", figure 15.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
