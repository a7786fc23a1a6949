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

// layerNormRef is the definition of LayerNorm.
func layerNormRef(y, mean, rstd, x, w, b []float32, eps float32) {
	c := len(w)
	for t := range rstd {
		yr := y[t*c : (t+1)*c]
		mean[t] = center(yr, x[t*c:(t+1)*c])
		r := float32(1 / math.Sqrt(float64(sumSquares(yr)/float32(c)+eps)))
		rstd[t] = r
		for i, v := range yr {
			yr[i] = v*r*w[i] + b[i]
		}
	}
}

// layerNormBackwardRef is the definition of LayerNormBackward.
func layerNormBackwardRef(dx, dw, db, dy, x, w, mean, rstd []float32) {
	c := len(w)
	for t, r := range rstd {
		xr, dyr, dxr := x[t*c:(t+1)*c], dy[t*c:(t+1)*c], dx[t*c:(t+1)*c]
		var sum, dot float32
		for i, v := range xr {
			d := dyr[i] * w[i]
			sum += d
			dot += d * (v - mean[t])
		}
		sum, dot = sum/float32(c), dot*r*r/float32(c)
		for i, v := range xr {
			v -= mean[t]
			db[i] += dyr[i]                           // y = x̂·w + b
			dw[i] += dyr[i] * v * r                   // y = x̂·w + b
			dxr[i] += r * (dyr[i]*w[i] - sum - v*dot) // x̂ = (x − mean)·r, mean and r depend on every x of the row
		}
	}
}

// center sets y to x less its mean, and returns that.
func center(y, x []float32) float32 {
	mean := sum(x) / float32(len(x))
	for i, v := range x {
		y[i] = v - mean
	}
	return mean
}

// sum returns Σ x, in four partial sums.
func sum(x []float32) float32 {
	var s0, s1, s2, s3 float32
	i := 0
	for ; i+4 <= len(x); i += 4 {
		s0 += x[i]
		s1 += x[i+1]
		s2 += x[i+2]
		s3 += x[i+3]
	}
	for ; i < len(x); i++ {
		s0 += x[i]
	}
	return (s0 + s1) + (s2 + s3)
}
