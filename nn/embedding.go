package nn

import "outcrop.dev/outcrop/tensor"

// columnBlock is the number of channels that one task of Embedding.Backward takes.
const columnBlock = 32

// Embedding looks up one row of W (V,C) for each token.
type Embedding struct {
	W *Param
	// Round rounds rows to bf16 as they are read, so that training sees the weights that a
	// bf16 file will hold.
	Round bool
}

// Forward sets x[n] = W[tokens[n]]. x (N,C).
func (l *Embedding) Forward(e Exec, x []float32, tokens []int32) {
	c := l.W.Cols
	e.rows(len(tokens), func(_, a, b int) {
		for n := a; n < b; n++ {
			l.row(x[n*c:(n+1)*c], int(tokens[n]))
		}
	})
}

func (l *Embedding) row(x []float32, token int) {
	if from, to := token*len(x), (token+1)*len(x); l.W.Half != nil {
		tensor.Float32s(x, l.W.Half[from:to])
		return
	}
	w := l.W.W[token*len(x) : (token+1)*len(x)]
	if !l.Round {
		copy(x, w)
		return
	}
	for i, v := range w {
		x[i] = tensor.ToBF16(v).Float32()
	}
}

// Backward adds dx[n] to W.G[tokens[n]], tokens in order: a task takes some channels of
// all tokens, so the sums do not depend on threads. A frozen W has no gradient.
func (l *Embedding) Backward(e Exec, dx []float32, tokens []int32) {
	if l.W.G == nil {
		return
	}
	c := l.W.Cols
	e.Pool.For((c+columnBlock-1)/columnBlock, func(task, _ int) {
		from, to := task*columnBlock, min(c, (task+1)*columnBlock)
		for n, id := range tokens {
			g := l.W.G[int(id)*c+from : int(id)*c+to]
			for i, d := range dx[n*c+from : n*c+to] {
				g[i] += d // x = W[token]
			}
		}
	})
}
