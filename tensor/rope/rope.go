// Package rope turns pairs of channels by an angle that grows with the position, as
// Hugging Face's Llama does it: channel i is paired with channel i + D/2 of its head.
//
// It knows slices of float32 and nothing of layers or threads. ref.go is the definition;
// a faster version may stand behind the same functions.
package rope

import "math"

// The implementation in use. fast.go replaces it at start where the CPU allows.
var rotate = rotateRef

// Table holds the cosines and sines of every position below Len.
type Table struct {
	freq     []float64
	scale    float64
	cos, sin []float32 // (T,D/2)
}

// NewTable returns a table of t positions, which Grow adds to: angle[p,i] = p·freq[i], computed in
// float64, cosines and sines times scale. It turns heads, or the first channels of heads, of
// 2·len(freq) channels. Panics without frequencies.
func NewTable(t int, freq []float64, scale float64) *Table {
	if len(freq) == 0 {
		panic("rope: a table needs a frequency")
	}
	tab := &Table{freq: freq, scale: scale}
	tab.add(t)
	return tab
}

// growth is the least number of positions that Grow adds.
const growth = 1024

// Grow sees to it that the table has t positions or more: models have room for many more than most
// texts are long. It may not run beside At; what At has returned stays as it is.
func (t *Table) Grow(positions int) {
	if have := t.Len(); positions > have {
		t.add(max(positions, have+growth, have/4*5))
	}
}

// add computes the positions from Len to n.
func (t *Table) add(n int) {
	half, have := len(t.freq), t.Len()
	more := make([]float32, 2*(n-have)*half)
	cos, sin := more[:(n-have)*half], more[(n-have)*half:]
	for p := have; p < n; p++ {
		for i, f := range t.freq {
			s, c := math.Sincos(float64(p) * f)
			cos[(p-have)*half+i], sin[(p-have)*half+i] = float32(t.scale*c), float32(t.scale*s)
		}
	}
	t.cos, t.sin = append(t.cos, cos...), append(t.sin, sin...)
}

// Channels returns how many channels of a head the table turns.
func (t *Table) Channels() int { return 2 * len(t.freq) }

// Len returns how many positions the table covers.
func (t *Table) Len() int { return len(t.cos) / len(t.freq) }

// At returns the cosines and sines (D/2 each) of position pos. Panics if pos is not below Len.
func (t *Table) At(pos int) (cos, sin []float32) {
	half := len(t.freq)
	a, b := pos*half, (pos+1)*half
	return t.cos[a:b:b], t.sin[a:b:b]
}

// Rotate turns the heads in x, one after another, in place:
//
//	x[i], x[i+D/2] = x[i]·cos[i] − x[i+D/2]·sin[i], x[i+D/2]·cos[i] + x[i]·sin[i]
//
// x (H,D); cos, sin (D/2). Panics if len(x) is not a multiple of 2·len(cos).
// Su et al. 2021, arXiv:2104.09864, eq. 34, in the rotate-half order.
func Rotate(x, cos, sin []float32) {
	check(x, cos, sin)
	rotate(x, cos, sin, 1)
}

// RotateBackward turns a gradient back, in place: the transpose of Rotate is the rotation
// by the opposite angle, of the same scale. Shapes as in Rotate.
func RotateBackward(dx, cos, sin []float32) {
	check(dx, cos, sin)
	rotate(dx, cos, sin, -1)
}

func check(x, cos, sin []float32) {
	if len(cos) != len(sin) || len(cos) == 0 || len(x)%(2*len(cos)) != 0 {
		panic("rope: lengths of x, cos and sin disagree")
	}
}
