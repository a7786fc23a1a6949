package attention

// The implementation in use. fast.go replaces these at start where the CPU allows.
var (
	softmaxRow         = softmaxRowRef
	softmaxBackwardRow = softmaxBackwardRowRef
	dot                = dotRef
)

// SoftmaxRow turns a row of scores into probabilities, in place, and returns the row's
// log-sum-exp:
//
//	lse = log Σ_{j<visible} exp(scale·s[j]), s[j] = exp(scale·s[j] − lse) for j < visible, 0 after
//
// s (n), 1 ≤ visible ≤ n. The first visible results and lse depend on the first visible
// scores only, bit for bit, whatever n is: a cached decode equals a whole row
// (TestSoftmaxRowPrefix). |s−exact| ≤ (2⁻²⁰ + 4u·max|scale·s|)·exact + 2⁻¹²⁶, u = 2⁻²⁴
// (TestSoftmaxRow). Panics if visible is out of range.
func SoftmaxRow(s []float32, visible int, scale float32) (lse float32) {
	_, _ = s[visible-1], s[:visible]
	return softmaxRow(s, visible, scale)
}

// SoftmaxBackwardRow replaces scores s by probabilities and the gradient of the
// probabilities dp by that of the scores, in place:
//
//	s[j] = exp(scale·s[j] − lse); dp[j] = scale·s[j]·(dp[j] − delta) for j < visible, both 0 after
//
// delta is Σ_j p[j]·dp[j], which equals the dot product of the row's output and its
// gradient (Dao et al. 2022, arXiv:2205.14135, appendix B.4). Panics if lengths disagree.
func SoftmaxBackwardRow(s, dp []float32, visible int, scale, lse, delta float32) {
	if len(dp) != len(s) {
		panic("attention: lengths of scores and gradients disagree")
	}
	_ = s[visible-1]
	softmaxBackwardRow(s, dp, visible, scale, lse, delta)
}

// Dot returns Σ a[i]·b[i] in float32, in several partial sums. Panics if lengths disagree.
func Dot(a, b []float32) float32 {
	if len(a) != len(b) {
		panic("attention: lengths disagree")
	}
	return dot(a, b)
}
