// Package loss holds the cross-entropy of one row of logits and its gradient.
//
// It knows rows of float32 and nothing of models or threads: the caller makes logits in
// chunks of rows, so that the logits of a whole batch never exist. ref.go is the
// definition; a faster version may stand behind the same functions.
package loss

// The implementation in use. fast.go replaces these at start where the CPU allows.
var (
	logSumExp = logSumExpRef
	softmax   = softmaxRef
)

// Row returns the cross-entropy −log softmax(logits)[target] and the row's log-sum-exp,
// which RowBackward needs.
//
// logits (V); the exponentials are added up in float32, some thousands at a time. |loss−exact| ≤
// 2⁻²⁰·(1+loss+log V), however large the logits are, |lse−exact| ≤ 2⁻²⁰·(1+|lse|+log V) (TestRow). NaN or
// +Inf in the row shows in both results. Panics if target is not in 0…V−1.
func Row(logits []float32, target int) (loss, lse float32) {
	at := logits[target]
	top, rest := logSumExp(logits)
	return float32(float64(top) - float64(at) + rest), top + float32(rest) // not lse − at: a large lse is rounded
}

// RowBackward replaces a row of logits by its gradient, in place:
//
//	logits[j] = scale·(exp(logits[j] − lse) − [j = target])
//
// scale is the weight of this token in the loss, 1/(trained tokens of the step). Panics if
// target is not in 0…V−1.
func RowBackward(logits []float32, target int, lse, scale float32) {
	_ = logits[target]
	softmax(logits, lse, scale) // loss = lse − logits[target]; ∂lse/∂logits = softmax
	logits[target] -= scale
}
