package infer

import (
	"errors"
	"math"
	"slices"
)

// sampler draws the next token from logits. It keeps its buffers, so it belongs to one
// sequence at a time.
type sampler struct {
	temperature float64 // 0 is greedy
	topP        float64 // (0,1]; 1 keeps every token
	topK        int     // 0 keeps every token
	seed        uint64

	heap, first candidates
	kept        []candidate
	weight      []float64
}

// candidate is a token, its logit, and its weight, which rounding may make the same for
// different logits.
type candidate struct {
	id     int
	logit  float32
	weight float64
}

// before orders candidates by falling logit, and equal ones by id: the order must not
// depend on how they were found.
func (a candidate) before(b candidate) bool {
	return a.logit > b.logit || a.logit == b.logit && a.id < b.id
}

var errNotFinite = errors.New("the model produced no finite logit")

// next returns the token for the position-th output, from 0. It fails if no logit is a
// number, or one is NaN: then the model is broken.
func (s *sampler) next(logits []float32, position int) (int, error) {
	best, err := argmax(logits)
	if err != nil || s.temperature == 0 || s.topK == 1 {
		return best, err
	}
	u := uniform(s.seed, position)
	if s.topK == 0 && s.topP >= 1 {
		return s.drawAny(logits, best, u), nil
	}
	return s.drawLikely(logits, best, u), nil
}

// argmax returns the first of the largest logits.
func argmax(logits []float32) (int, error) {
	best, top := -1, float32(math.Inf(-1))
	for i, x := range logits {
		if x != x {
			return 0, errNotFinite
		}
		if x > top {
			best, top = i, x
		}
	}
	if best < 0 || math.IsInf(float64(top), 1) {
		return 0, errNotFinite
	}
	return best, nil
}

// drawAny samples from the whole vocabulary, where no order is needed.
func (s *sampler) drawAny(logits []float32, best int, u float64) int {
	s.weigh(logits, best)
	var sum float64
	for _, w := range s.weight {
		sum += w
	}
	at := u * sum
	for i, w := range s.weight {
		if at < w {
			return i
		}
		at -= w
	}
	return best // only by rounding
}

// drawLikely samples from the topK most likely tokens, and of those from the fewest whose
// share reaches topP (nucleus sampling, Holtzman et al. 2020, arXiv:1904.09751).
func (s *sampler) drawLikely(logits []float32, best int, u float64) int {
	h, total := s.likely(logits, best)
	s.kept, s.weight = s.kept[:0], s.weight[:0]
	var sum float64
	for len(h) > 0 && (len(s.kept) == 0 || sum < s.topP*total) {
		c := h.pop()
		s.kept, s.weight = append(s.kept, c), append(s.weight, c.weight)
		sum += c.weight
	}
	at := u * sum
	for i, w := range s.weight {
		if at < w {
			return s.kept[i].id
		}
		at -= w
	}
	return best // only by rounding
}

// likely returns the tokens among which the nucleus is, and the weight to which topP is
// relative: that of the topK tokens, or of all.
//
// Without topK the heap is cut first: together the tokens that have less than 1-topP of the
// mean weight have less than 1-topP of all, so that the others reach topP without them.
func (s *sampler) likely(logits []float32, best int) (h candidates, total float64) {
	s.weigh(logits, best)
	if s.topK > 0 && s.topK < len(logits) {
		h = s.heap.fill(logits, s.weight, 0)
		s.first = s.first[:0]
		for range s.topK { // in falling order they are a heap again
			c := h.pop()
			s.first = append(s.first, c)
			total += c.weight
		}
		return s.first, total
	}
	for _, w := range s.weight {
		total += w
	}
	return s.heap.fill(logits, s.weight, (1-s.topP)*total/float64(len(logits))), total
}

// weigh sets weight to the probabilities of the tokens, relative to the likeliest.
func (s *sampler) weigh(logits []float32, best int) {
	s.weight = slices.Grow(s.weight[:0], len(logits))[:len(logits)]
	for i, x := range logits {
		s.weight[i] = math.Exp(float64(x-logits[best]) / s.temperature)
	}
}

// candidates is a binary heap with the most likely token on top. A full sort of the
// vocabulary would cost more than the nucleus, which is mostly small.
type candidates []candidate

// fill makes *h the heap of the tokens that have at least that weight.
func (h *candidates) fill(logits []float32, weight []float64, least float64) candidates {
	c := (*h)[:0]
	for i, w := range weight {
		if w >= least {
			c = append(c, candidate{i, logits[i], w})
		}
	}
	*h = c
	for i := len(c)/2 - 1; i >= 0; i-- {
		c.down(i)
	}
	return c
}

// pop removes and returns the most likely candidate.
func (h *candidates) pop() candidate {
	old := *h
	top, last := old[0], len(old)-1
	old[0] = old[last]
	*h = old[:last]
	h.down(0)
	return top
}

// down restores the order below i.
func (h candidates) down(i int) {
	for {
		c := 2*i + 1
		if c >= len(h) {
			return
		}
		if c+1 < len(h) && h[c+1].before(h[c]) {
			c++
		}
		if h[i].before(h[c]) {
			return
		}
		h[i], h[c] = h[c], h[i]
		i = c
	}
}
