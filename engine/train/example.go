package train

import "outcrop.dev/outcrop/engine/model"

// Example is one document: the model reads Tokens, and at each the loss counts how well it
// predicts the target, unless that is model.Ignore. The two are of one length.
type Example struct{ Tokens, Targets []int32 }

// NewExample returns the example of a document whose tokens from index from on are trained:
// 0 or 1 trains everything that can be predicted, the length of a prompt its completion
// only. The last token is a target, and not read. Panics if tokens has fewer than two.
func NewExample(tokens []int32, from int) Example {
	e := Example{Tokens: tokens[:len(tokens)-1], Targets: make([]int32, len(tokens)-1)}
	for i := range e.Targets {
		if e.Targets[i] = tokens[i+1]; i+1 < from {
			e.Targets[i] = model.Ignore
		}
	}
	return e
}

// Source provides the examples of each step, a pure function of step (from 0).
type Source interface {
	Examples(step int) []Example
}

// Repeat is a Source that gives the same examples at every step.
type Repeat []Example

// Examples returns all of them.
func (r Repeat) Examples(int) []Example { return r }

// Rows goes through the rows Epochs times, BatchSize a step, in an order drawn from the seed
// and the epoch. The last step of an epoch takes what is left. A row is an example, or a pack
// of them.
type Rows struct {
	All       []Example
	Packs     []int // if not nil, a row is the examples from one of these ends to the next
	BatchSize int
	Epochs    int
	Seed      uint64

	epoch int // of order, counted from 1; 0 before the first
	order []int32
	batch []Example
}

// Count returns the number of rows.
func (r *Rows) Count() int {
	if r.Packs != nil {
		return len(r.Packs)
	}
	return len(r.All)
}

// row returns the examples of row i.
func (r *Rows) row(i int32) []Example {
	switch {
	case r.Packs == nil:
		return r.All[i : i+1]
	case i == 0:
		return r.All[:r.Packs[0]]
	}
	return r.All[r.Packs[i-1]:r.Packs[i]]
}

// StepsPerEpoch returns how many steps go once through the rows.
func (r *Rows) StepsPerEpoch() int { return (r.Count() + r.BatchSize - 1) / r.BatchSize }

// Steps returns the number of steps of all epochs.
func (r *Rows) Steps() int { return r.Epochs * r.StepsPerEpoch() }

// Examples returns the examples of a step; they are valid until the next call.
func (r *Rows) Examples(step int) []Example {
	epoch, at := step/r.StepsPerEpoch(), step%r.StepsPerEpoch()*r.BatchSize
	if r.epoch != epoch+1 {
		r.order, r.epoch = Shuffle(r.order, r.Count(), r.Seed, uint64(epoch)), epoch+1
	}
	r.batch = r.batch[:0]
	for _, i := range r.order[at:min(at+r.BatchSize, r.Count())] {
		r.batch = append(r.batch, r.row(i)...)
	}
	return r.batch
}
