package nn

import "outcrop.dev/outcrop/engine/tensor"

// columnBlock is the number of channels that one task of Embedding.Backward takes.
const columnBlock = 32

// Embedding looks up one row of W (V,C) for each token, or for each position.
type Embedding struct {
	W *Param
	// Round rounds rows to bf16 as they are read, so that training sees the weights that a
	// bf16 file will hold.
	Round bool
	// Scale multiplies the rows; 0 means 1.
	Scale float32
}

// Forward sets x[n] = Scale·W[ids[n]], or adds it when add is set. x (N,C).
func (l *Embedding) Forward(e Exec, x []float32, ids []int32, add bool) {
	c := l.W.Cols
	e.rows(len(ids), func(_, a, b int) {
		for n := a; n < b; n++ {
			if y := x[n*c : (n+1)*c]; add {
				l.addRow(y, int(ids[n]))
			} else {
				l.row(y, int(ids[n]))
			}
		}
	})
}

func (l *Embedding) addRow(x []float32, id int) {
	row := make([]float32, len(x))
	l.row(row, id)
	for i, v := range row {
		x[i] += v
	}
}

// row sets x to a row of W, scaled.
func (l *Embedding) row(x []float32, id int) {
	from, to := id*len(x), (id+1)*len(x)
	switch {
	case l.W.Half != nil:
		tensor.Float32s(x, l.W.Half[from:to])
	case l.Round:
		for i, v := range l.W.W[from:to] {
			x[i] = tensor.ToBF16(v).Float32()
		}
	default:
		copy(x, l.W.W[from:to])
	}
	if l.Scale != 0 {
		for i := range x {
			x[i] *= l.Scale
		}
	}
}

// Backward adds Scale·dx[n] to W.G[ids[n]], ids in order: a task takes some channels of
// all tokens, so the sums do not depend on threads. A frozen W has no gradient.
func (l *Embedding) Backward(e Exec, dx []float32, ids []int32) {
	if l.W.G == nil {
		return
	}
	c, scale := l.W.Cols, l.Scale
	if scale == 0 {
		scale = 1
	}
	e.Pool.For((c+columnBlock-1)/columnBlock, func(task, _ int) {
		from, to := task*columnBlock, min(c, (task+1)*columnBlock)
		for n, id := range ids {
			g := l.W.G[int(id)*c+from : int(id)*c+to]
			for i, d := range dx[n*c+from : n*c+to] {
				g[i] += scale * d // x = Scale·W[id]
			}
		}
	})
}
