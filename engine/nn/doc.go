// Package nn holds the layers of a decoder-only transformer, Forward and Backward side by
// side, over the kernels of package tensor.
//
// It knows arithmetic, threads and memory, and nothing of files, optimizers or schedules.
// A Backward adds to the gradients of weights; what it does to the gradient of its input
// is said at each. Layers keep what their Backward needs from the last Forward.
//
// Dimension letters, the same in every package of the engine:
//
//	N  tokens of a batch: one packed stream of documents, no padding
//	T  tokens of one document
//	C  channels of the residual stream
//	H  query heads, G key and value heads
//	D  channels of a head
//	F  channels of the feed-forward layer
//	V  vocabulary
//	K  inner dimension of a product
//
// All matrices are row-major float32; weights are (out,in), as Hugging Face stores them.
package nn
