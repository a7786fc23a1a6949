package nn

// Param is one trained tensor: a matrix (Rows,Cols), or a vector, whose Rows is 1. Matrices
// decay, vectors (the weights of norms) do not.
type Param struct {
	Name       string
	Rows, Cols int
	Vector     bool
	W          []float32 // master weights
	G          []float32 // gradient of the loss; nil where nothing is trained
	// Parts are the tensors of the file that are stacked, row by row, in this one; nil means
	// one tensor of the same name.
	Parts []Part
}

// Part names Rows rows of a Param.
type Part struct {
	Name string
	Rows int
}

// NewVector returns a vector of n weights without memory.
func NewVector(name string, n int) *Param {
	return &Param{Name: name, Rows: 1, Cols: n, Vector: true}
}

// NewParam returns a matrix without memory.
func NewParam(name string, rows, cols int, parts ...Part) *Param {
	return &Param{Name: name, Rows: rows, Cols: cols, Parts: parts}
}

// Len returns the number of weights.
func (p *Param) Len() int { return p.Rows * p.Cols }
