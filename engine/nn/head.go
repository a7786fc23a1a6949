package nn

import (
	"outcrop.dev/outcrop/engine/tensor/loss"
)

// logitsBytesMax bounds the logits that exist at once; chunkRowsMin keeps the products
// efficient when the vocabulary is so large that the bound would leave fewer rows.
const (
	logitsBytesMax = 32 << 20
	chunkRowsMin   = 128
)

// Head turns the last hidden states into logits, and these, a chunk of rows at a time,
// into the loss and its gradient: the logits of a whole batch never exist.
type Head struct {
	W      *Param    // (V,C)
	chunk  int       // rows
	index  []int32   // rows that have a target
	x, dx  []float32 // (chunk,C) those rows of a chunk, and their gradient
	logits []float32 // (chunk,V)
	losses []float32 // (chunk)
}

// NewHead returns a head that takes up to n rows with a target at a time; more take several turns.
func NewHead(w *Param, n int, alloc Alloc) *Head {
	chunk := min(n, max(logitsBytesMax/4/w.Rows, chunkRowsMin))
	return &Head{
		W: w, chunk: chunk, index: make([]int32, 0, n),
		x: alloc(chunk * w.Cols), dx: alloc(chunk * w.Cols),
		logits: alloc(chunk * w.Rows), losses: alloc(chunk),
	}
}

// Logits sets y (N,V) = x·Wᵀ.
func (l *Head) Logits(e Exec, y, x []float32, n int) { Linear{W: l.W}.Forward(e, y, x, n, false) }

// Loss returns the sum of the cross-entropies of the rows of x (N,C) that have a target
// (targets ≥ 0), and their number. Sums over rows in float64, in order.
func (l *Head) Loss(e Exec, x []float32, targets []int32) (sum float64, count int) {
	return l.run(e, nil, x, targets, 0)
}

// LossBackward does what Loss does, sets dx to the gradient of scale·sum and adds that of W.
func (l *Head) LossBackward(e Exec, dx, x []float32, targets []int32, scale float32) (sum float64, count int) {
	clear(dx[:len(targets)*l.W.Cols]) // rows without a target
	return l.run(e, dx, x, targets, scale)
}

func (l *Head) run(e Exec, dx, x []float32, targets []int32, scale float32) (sum float64, count int) {
	l.chunks(e, x, targets, func(rows []int32) {
		l.lossRows(e, rows, targets, scale, dx != nil)
		for i := range rows {
			sum += float64(l.losses[i])
		}
		if dx != nil {
			l.backward(e, dx, rows)
		}
	})
	return sum, len(l.index)
}

// Missed returns the rows of x, ascending, that have a target and whose largest logit is not the
// target's. Of equal ones the first counts, as it does for greedy sampling.
func (l *Head) Missed(e Exec, x []float32, targets []int32) (missed []int32) {
	wrong := make([]bool, l.chunk)
	l.chunks(e, x, targets, func(rows []int32) {
		v := l.W.Rows
		e.rows(len(rows), func(_, from, to int) {
			for i := from; i < to; i++ {
				wrong[i] = first(l.logits[i*v:(i+1)*v]) != int(targets[rows[i]])
			}
		})
		for i, row := range rows {
			if wrong[i] {
				missed = append(missed, row)
			}
		}
	})
	return missed
}

// first returns the index of the first of the largest elements.
func first(x []float32) int {
	at := 0
	for i, v := range x {
		if v > x[at] {
			at = i
		}
	}
	return at
}

// chunks computes the logits of the rows that have a target, and calls f for a chunk of them at a time.
func (l *Head) chunks(e Exec, x []float32, targets []int32, f func(rows []int32)) {
	l.index = l.index[:0]
	for i, t := range targets {
		if t >= 0 {
			l.index = append(l.index, int32(i))
		}
	}
	for from := 0; from < len(l.index); from += l.chunk {
		rows := l.index[from:min(from+l.chunk, len(l.index))]
		l.gather(e, x, rows)
		l.Logits(e, l.logits, l.x, len(rows))
		f(rows)
	}
}

// lossRows fills losses, and turns logits into their gradient when grad is set.
func (l *Head) lossRows(e Exec, rows, targets []int32, scale float32, grad bool) {
	v := l.W.Rows
	e.Pool.For((len(rows)+lossRows-1)/lossRows, func(task, _ int) {
		for i := task * lossRows; i < min(len(rows), (task+1)*lossRows); i++ {
			row, target := l.logits[i*v:(i+1)*v], int(targets[rows[i]])
			var lse float32
			l.losses[i], lse = loss.Row(row, target)
			if grad {
				loss.RowBackward(row, target, lse, scale)
			}
		}
	})
}

// lossRows is the number of rows of logits that one task takes.
const lossRows = 8

// backward adds to the gradient of W and sets the rows' gradient in dx.
func (l *Head) backward(e Exec, dx []float32, rows []int32) {
	Linear{W: l.W}.Backward(e, l.dx, l.logits, l.x, len(rows))
	c := l.W.Cols
	e.rows(len(rows), func(_, a, b int) {
		for i := a; i < b; i++ {
			copy(dx[int(rows[i])*c:(int(rows[i])+1)*c], l.dx[i*c:(i+1)*c])
		}
	})
}

func (l *Head) gather(e Exec, x []float32, rows []int32) {
	c := l.W.Cols
	e.rows(len(rows), func(_, a, b int) {
		for i := a; i < b; i++ {
			copy(l.x[i*c:(i+1)*c], x[int(rows[i])*c:(int(rows[i])+1)*c])
		}
	})
}
