// Package norm normalises rows: by their root mean square, or by mean and variance.
//
// It knows slices of float32 and nothing of layers or threads: callers divide the rows
// among workers. ref.go is the definition; a faster version may stand behind the same
// functions, chosen once at start from what the CPU offers.
package norm

// The implementation in use. fast.go replaces these at start where the CPU allows.
var (
	rmsNorm           = rmsNormRef
	rmsNormBackward   = rmsNormBackwardRef
	layerNorm         = layerNormRef
	layerNormBackward = layerNormBackwardRef
)

// RMSNorm sets y[t,c] = x[t,c]·rstd[t]·w[c], rstd[t] = 1/√(mean_c x[t,c]² + eps).
//
// x, y (T,C) row-major; w (C); rstd (T) is kept for RMSNormBackward. y may be x.
// Sums in float32, several partial sums; |y−ref| ≤ 8u·|ref|·log₂C, u = 2⁻²⁴ (TestRMSNorm).
// Reads 2TC, writes TC: memory bound. Panics if lengths disagree.
// Zhang & Sennrich 2019, arXiv:1910.07467, eq. 4.
func RMSNorm(y, rstd, x, w []float32, eps float32) {
	check(y, rstd, x, w)
	if len(rstd) > 0 {
		rmsNorm(y, rstd, x, w, eps)
	}
}

// RMSNormBackward adds the gradients of RMSNorm to dx and dw, given dy:
//
//	dw[c]   += Σ_t dy[t,c]·x[t,c]·rstd[t]
//	dx[t,c] += rstd[t]·(dy[t,c]·w[c] − x[t,c]·rstd[t]²·mean_c(dy·w·x))
//
// Shapes as in RMSNorm; dx must not be dy. Rows are taken in order, so dw does not depend
// on how the caller groups calls only if each call has its own dw. Sums in float32.
// Panics if lengths disagree.
func RMSNormBackward(dx, dw, dy, x, w, rstd []float32) {
	check(dx, rstd, x, w)
	if len(dy) != len(x) || len(dw) != len(w) {
		panic("norm: lengths of the gradients disagree")
	}
	if len(rstd) > 0 {
		rmsNormBackward(dx, dw, dy, x, w, rstd)
	}
}

func check(y, rstd, x, w []float32) {
	if len(y) != len(x) || len(x) != len(rstd)*len(w) {
		panic("norm: lengths of x, y, rstd and w disagree")
	}
}

// LayerNorm sets y[t,c] = (x[t,c] − mean[t])·rstd[t]·w[c] + b[c], rstd[t] = 1/√(var_c x[t] + eps).
//
// x, y (T,C) row-major; w, b (C); mean, rstd (T) are kept for LayerNormBackward. y may be x.
// Sums in float32, several partial sums; the variance is that of x − mean. |y−exact| ≤
// 16u·(|exact − b| + |b| + |mean|·rstd·|w|)·log₂C, u = 2⁻²⁴ (TestLayerNorm). Panics if
// lengths disagree. Ba et al. 2016, arXiv:1607.06450, eq. 4.
func LayerNorm(y, mean, rstd, x, w, b []float32, eps float32) {
	check(y, rstd, x, w)
	if len(mean) != len(rstd) || len(b) != len(w) {
		panic("norm: lengths of mean and rstd, or of b and w, disagree")
	}
	layerNorm(y, mean, rstd, x, w, b, eps)
}

// LayerNormBackward adds the gradients of LayerNorm to dx, dw and db, given dy. With
// x̂ = (x − mean)·rstd:
//
//	db[c]   += Σ_t dy[t,c]
//	dw[c]   += Σ_t dy[t,c]·x̂[t,c]
//	dx[t,c] += rstd[t]·(dy·w − mean_c(dy·w) − x̂·mean_c(dy·w·x̂))
//
// Shapes as in LayerNorm; dx must not be dy. Order of rows as in RMSNormBackward. Panics if
// lengths disagree.
func LayerNormBackward(dx, dw, db, dy, x, w, mean, rstd []float32) {
	check(dx, rstd, x, w)
	if len(dy) != len(x) || len(dw) != len(w) || len(db) != len(w) || len(mean) != len(rstd) {
		panic("norm: lengths of the gradients disagree")
	}
	layerNormBackward(dx, dw, db, dy, x, w, mean, rstd)
}
