// Package attention is causal attention with grouped queries over packed sequences.
//
// Several documents may stand one after another in one stream of tokens: each Segment is
// one of them, positions begin at 0 in each, and no token sees another segment. The score
// matrix never exists as a whole: a task holds one block of query rows of one head, and
// what is kept for the backward pass is one log-sum-exp a row (Dao et al. 2022,
// arXiv:2205.14135).
//
// The products go through engine/tensor/gemm; what happens between them is in softmax.go, whose
// definition is ref.go.
package attention
