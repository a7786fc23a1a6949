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
	tab := &Table{freq: freq, scale: scale, cos: make([]float32, 0, t*len(freq)), sin: make([]float32, 0, t*len(freq))}
	tab.Grow(t)
	return tab
}

// Grow sees to it that the table has so many positions: models have room for many more than most
// texts are long. It may not run beside At; what At has returned stays as it is.
func (t *Table) Grow(positions int) {
	for p := t.Len(); p < positions; p++ {
		for _, f := range t.freq {
			sin, cos := math.Sincos(float64(p) * f)
			t.cos, t.sin = append(t.cos, float32(t.scale*cos)), append(t.sin, float32(t.scale*sin))
		}
	}
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
