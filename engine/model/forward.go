package model

// Loss is the sum of the cross-entropies of some tokens, in nats, and how many they were.
type Loss struct {
	Sum    float64
	Tokens int
}

// Add adds o to l.
func (l *Loss) Add(o Loss) { l.Sum, l.Tokens = l.Sum+o.Sum, l.Tokens+o.Tokens }

// Mean returns the loss per token; 0 of none.
func (l Loss) Mean() float64 {
	if l.Tokens == 0 {
		return 0
	}
	return l.Sum / float64(l.Tokens)
}

// Evaluate returns the loss of b. The error says what is wrong with the batch.
func (m *Model) Evaluate(b *Batch) (Loss, error) {
	if err := m.forward(b); err != nil {
		return Loss{}, err
	}
	sum, n := m.plan.head.Loss(m.exec, m.plan.y, b.Targets)
	return Loss{sum, n}, nil
}

// Logits sets y (N,V) to the logits of every token of b.
func (m *Model) Logits(y []float32, b *Batch) error {
	if err := m.forward(b); err != nil {
		return err
	}
	m.plan.head.Logits(m.exec, y, m.plan.y, len(b.Tokens))
	return nil
}

// Accumulate returns the loss of b and adds the gradient of scale·Sum to the gradients of
// the parameters. scale is 1/(trained tokens of the step), so that a step cut into several
// batches gives the same gradient as one (TestAccumulation).
func (m *Model) Accumulate(b *Batch, scale float32) (Loss, error) {
	if d := m.dropout(); d != nil {
		d.On = true
		defer func() { d.On, d.Row = false, d.Row+len(b.Tokens) }()
	}
	if err := m.forward(b); err != nil {
		return Loss{}, err
	}
	p, n := m.plan, len(b.Tokens)
	sum, count := p.head.LossBackward(m.exec, p.dy, p.y, b.Targets, scale)
	dx := p.y[:n*m.Hidden] // not needed any more
	clear(dx)
	p.norm.Backward(m.exec, dx, p.dy, p.x, n)
	p.backward(m.exec, dx, &p.stream)
	return Loss{sum, count}, nil
}

// ZeroGrad sets all gradients to zero.
func (m *Model) ZeroGrad() {
	m.exec.Pool.For(len(m.trainable), func(i, _ int) { clear(m.trainable[i].G) })
}

// forward runs the batch up to the last norm.
func (m *Model) forward(b *Batch) error {
	if err := m.check(b); err != nil {
		return err
	}
	p, n := m.plan, len(b.Tokens)
	p.stream.Tokens, p.stream.Segments = b.Tokens, b.Segments
	p.stream.Positions = p.stream.Positions[:n]
	for _, s := range b.Segments {
		for i := range s.Len {
			p.stream.Positions[s.Start+i] = int32(i)
		}
	}
	p.decoder.forward(m.exec, &p.stream, nil)
	p.norm.Forward(m.exec, p.y, p.x, n)
	return nil
}
