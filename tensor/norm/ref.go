package norm

import "math"

// rmsNormRef is the definition of RMSNorm.
func rmsNormRef(y, rstd, x, w []float32, eps float32) {
	c := len(w)
	for t := range rstd {
		xr, yr := x[t*c:(t+1)*c], y[t*c:(t+1)*c]
		r := float32(1 / math.Sqrt(float64(sumSquares(xr)/float32(c)+eps)))
		rstd[t] = r
		for i, v := range xr {
			yr[i] = v * r * w[i]
		}
	}
}

// rmsNormBackwardRef is the definition of RMSNormBackward.
func rmsNormBackwardRef(dx, dw, dy, x, w, rstd []float32) {
	c := len(w)
	for t, r := range rstd {
		xr, dyr, dxr := x[t*c:(t+1)*c], dy[t*c:(t+1)*c], dx[t*c:(t+1)*c]
		var dot float32
		for i, v := range xr {
			dot += dyr[i] * w[i] * v
		}
		k := dot * r * r * r / float32(c)
		for i, v := range xr {
			dw[i] += dyr[i] * v * r       // y = x·r·w
			dxr[i] += dyr[i]*w[i]*r - v*k // y = x·r·w, r depends on every x of the row
		}
	}
}

// sumSquares returns Σ x², in four partial sums.
func sumSquares(x []float32) float32 {
	var s0, s1, s2, s3 float32
	i := 0
	for ; i+4 <= len(x); i += 4 {
		s0 += x[i] * x[i]
		s1 += x[i+1] * x[i+1]
		s2 += x[i+2] * x[i+2]
		s3 += x[i+3] * x[i+3]
	}
	for ; i < len(x); i++ {
		s0 += x[i] * x[i]
	}
	return (s0 + s1) + (s2 + s3)
}
