// Package train fits a model to examples: batches, schedule, clipping, AdamW, checkpoints.
//
// It knows numbers, not text: an Example is token ids with the targets that count. It reads
// no clock and draws no random number but from the seed: the examples of step n are a pure
// function of the seed and n, so that a run which was cut off and resumed from a checkpoint
// ends with the same bytes as one that was not.
//
//	rows := &train.Rows{All: examples, BatchSize: 16, Epochs: 3, Seed: 1}
//	t, err := train.New(m, rows, longest, train.FineTune(rows.Steps(), 5e-4, 20))
//	damaged, err := t.Restore(dir)   // stays at step 0 if there is no checkpoint
//	for !t.Done() {
//		r, err := t.Step()           // *Diverged when a loss or gradient is not finite
//		err = t.Save(dir)            // every now and then
//	}
package train
