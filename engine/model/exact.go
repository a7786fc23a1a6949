package model

// Exact returns how many documents of b greedy decoding answers exactly: at each of a
// document's targets the largest logit is the target's, given the tokens before it, so that by
// induction the decoder writes them all. It takes a forward pass, and no decoding.
// Errors as of Evaluate.
func (m *Model) Exact(b *Batch) (int, error) {
	if err := m.forward(b); err != nil {
		return 0, err
	}
	missed := m.plan.head.Missed(m.exec, m.plan.y, b.Targets)
	exact := 0
	for _, s := range b.Segments {
		n := 0
		for n < len(missed) && int(missed[n]) < s.Start+s.Len {
			n++
		}
		if n == 0 {
			exact++
		}
		missed = missed[n:]
	}
	return exact, nil
}
