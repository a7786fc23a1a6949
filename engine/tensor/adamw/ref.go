package adamw

import "math"

// stepRef is the definition of Step.
func stepRef(w, g, m, v []float32, h Hyper) {
	decay, rate := 1-h.LR*h.WeightDecay, h.LR*h.C1
	for i := range w {
		gi := g[i] * h.GradScale
		m[i] = h.Beta1*m[i] + (1-h.Beta1)*gi
		v[i] = h.Beta2*v[i] + (1-h.Beta2)*gi*gi
		root := float32(math.Sqrt(float64(v[i])))
		w[i] = w[i]*decay - rate*m[i]/(root*h.C2+h.Eps)
	}
}

// sumSquaresRef is the definition of SumSquares.
func sumSquaresRef(x []float32) float64 {
	var s0, s1, s2, s3 float64
	i := 0
	for ; i+4 <= len(x); i += 4 {
		a, b, c, d := float64(x[i]), float64(x[i+1]), float64(x[i+2]), float64(x[i+3])
		s0 += a * a
		s1 += b * b
		s2 += c * c
		s3 += d * d
	}
	for ; i < len(x); i++ {
		s0 += float64(x[i]) * float64(x[i])
	}
	return (s0 + s1) + (s2 + s3)
}
