package norm

import (
	"math"

	"outcrop.dev/outcrop/engine/tensor/internal/vec"
)

// fast is ref.go by way of the assembly loops, for the instruction set it holds.
type fast struct{ *vec.Set }

func init() {
	if set := vec.Best(); set != nil {
		f := fast{set}
		rmsNorm, rmsNormBackward = f.rmsNorm, f.rmsNormBackward
		layerNorm, layerNormBackward = f.layerNorm, f.layerNormBackward
	}
}

func (f fast) rmsNorm(y, rstd, x, w []float32, eps float32) {
	c := len(w)
	for t := range rstd {
		xr := x[t*c : (t+1)*c]
		rstd[t] = float32(1 / math.Sqrt(float64(f.Dot(xr, xr)/float32(c)+eps)))
		f.Norm(y[t*c:(t+1)*c], xr, w, rstd[t])
	}
}

func (f fast) rmsNormBackward(dx, dw, dy, x, w, rstd []float32) {
	c := len(w)
	for t, r := range rstd {
		xr, dyr := x[t*c:(t+1)*c], dy[t*c:(t+1)*c]
		k := f.Dot3(dyr, w, xr) * r * r * r / float32(c)
		f.NormBackward(dx[t*c:(t+1)*c], dw, dyr, xr, w, r, k)
	}
}

func (f fast) layerNorm(y, mean, rstd, x, w, b []float32, eps float32) {
	c := len(w)
	for t := range rstd {
		yr := y[t*c : (t+1)*c]
		mean[t] = center(yr, x[t*c:(t+1)*c])
		rstd[t] = float32(1 / math.Sqrt(float64(f.Dot(yr, yr)/float32(c)+eps)))
		f.Norm(yr, yr, w, rstd[t])
		for i, v := range b {
			yr[i] += v
		}
	}
}

func (f fast) layerNormBackward(dx, dw, db, dy, x, w, mean, rstd []float32) {
	c := len(w)
	centered := make([]float32, c)
	for t, r := range rstd {
		xr, dyr, dxr := x[t*c:(t+1)*c], dy[t*c:(t+1)*c], dx[t*c:(t+1)*c]
		for i, v := range xr {
			centered[i] = v - mean[t]
		}
		shift := r * f.Dot(dyr, w) / float32(c)
		f.NormBackward(dxr, dw, dyr, centered, w, r, f.Dot3(dyr, w, centered)*r*r*r/float32(c))
		for i, d := range dyr {
			db[i] += d
			dxr[i] -= shift
		}
	}
}
