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
//
// # Checkpoints
//
// Save writes a directory for each step that it is called at. It keeps the newest two:
//
//	dir/
//	├─ step-00000100/             finished steps, eight digits at least
//	│  ├─ state.safetensors       written first
//	│  │    ┌─────────┬──────────────────┬──────────┬──────────┬───
//	│  │    │ n (u64) │ n bytes of JSON  │ tensor 0 │ tensor 1 │ …    see format/safetensors
//	│  │    └─────────┴──────────────────┴──────────┴──────────┴───
//	│  │    of each parameter P that is trained, all F32, of shape [rows, columns], by name:
//	│  │      P     the weights, or the adapters of a LoRA
//	│  │      m.P   the first moment of AdamW
//	│  │      v.P   the second
//	│  ├─ state.json              written second
//	│  │    {"step":100,          finished steps, the length of history
//	│  │     "params":6885632,    numbers that are trained: those of all P together
//	│  │     "history":[          one Result for each step
//	│  │       {"step":1,"loss":4.2,"trained":310,"tokens":992,"grad_norm":1.5,"learning_rate":0.0001},…]}
//	│  └─ manifest.json           written last
//	│       {"state.json":"<SHA-256 in hex>","state.safetensors":"<SHA-256 in hex>"}
//	└─ step-00000200/
//
// Each file is written beside its place, synced and renamed. So a directory without a manifest was
// cut off, and one whose files do not have its sums is damaged. Restore passes over both, and takes
// the newest that is whole. There is no random generator and no place in the data to save: both
// follow from the step.
package train
