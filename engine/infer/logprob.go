package infer

import (
	"math"

	"outcrop.dev/outcrop"
)

// likeliest tells what the model thought of the tokens of one sequence. It keeps its buffers.
type likeliest struct {
	count int // how many tokens it shows in each place
	bytes func(id int32) []byte

	zeros []float64
	heap  candidates
}

// of returns the log-probabilities of a token and of the likeliest, by the softmax of logits, which
// are finite or -Inf. Sums are float64, in the order of the ids, so the bits depend on logits alone.
func (l *likeliest) of(logits []float32, token int) outcrop.TokenLogprobs {
	if len(l.zeros) < len(logits) {
		l.zeros = make([]float64, len(logits)) // the heap orders by logits; weights do not matter
	}
	h := l.heap.fill(logits, l.zeros[:len(logits)], 0)
	top := logits[h[0].id]
	var sum float64
	for _, x := range logits {
		sum += math.Exp(float64(x - top))
	}
	norm := float64(top) + math.Log(sum)
	one := func(id int) outcrop.Logprob {
		return outcrop.Logprob{Token: id, Text: l.bytes(int32(id)), Logprob: float64(logits[id]) - norm}
	}
	res := outcrop.TokenLogprobs{Logprob: one(token)}
	for len(res.Top) < min(l.count, len(logits)) {
		c := h.pop()
		if math.IsInf(float64(c.logit), -1) { // has no probability at all
			break
		}
		res.Top = append(res.Top, one(c.id))
	}
	return res
}
