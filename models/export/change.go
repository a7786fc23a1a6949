package export

import (
	"fmt"
	"slices"

	"outcrop.dev/outcrop/format/gguf"
)

// change is what a tensor goes through on its way. The zero change is none.
type change struct {
	transposed bool    // the file has (in,out)
	order      []int   // of the rows (a vector's elements): row i comes from row order[i]; nil is as they are
	add        float32 // to every value
}

// source returns the tensor of that name with its change, read when it is asked for. Name and
// type are left to the caller.
func (g *conversion) source(name string, c change) (gguf.Tensor, error) {
	info, ok := g.files.Info(name)
	if !ok || len(info.Shape) < 1 || len(info.Shape) > 2 || info.Elements() == 0 {
		return gguf.Tensor{}, fmt.Errorf("shape %v is neither a vector's nor a matrix's", info.Shape)
	}
	t := gguf.Tensor{Shape: slices.Clone(info.Shape)}
	if c.transposed {
		slices.Reverse(t.Shape)
	}
	if c.order != nil && len(c.order) != t.Shape[0] {
		return gguf.Tensor{}, fmt.Errorf("shape %v: there should be %d rows", info.Shape, len(c.order))
	}
	switch columns := t.Shape[len(t.Shape)-1]; {
	case c.transposed && len(t.Shape) == 2:
		t.Rows = g.columns(name, t.Shape[0], columns)
	case c.order != nil:
		t.Rows = g.ordered(name, c.order, info.Elements()/t.Shape[0])
	default:
		t.Rows = func(dst []float32, first int) error { return g.files.ReadFloat32At(name, first*columns, dst) }
	}
	if c.add != 0 {
		t.Rows = added(t.Rows, c.add)
	}
	return t, nil
}

// rows is gguf.Tensor's Rows.
type rows = func(dst []float32, first int) error

// ordered reads rows of width elements in another order.
func (g *conversion) ordered(name string, order []int, width int) rows {
	return func(dst []float32, first int) error {
		for i := range len(dst) / width {
			if err := g.files.ReadFloat32At(name, order[first+i]*width, dst[i*width:(i+1)*width]); err != nil {
				return err
			}
		}
		return nil
	}
}

// columns reads the columns of a file's matrix (in,out) as rows (out,in). The matrix is in
// memory as a whole while it is written.
func (g *conversion) columns(name string, out, in int) rows {
	var whole []float32
	return func(dst []float32, first int) error {
		if whole == nil {
			whole = make([]float32, out*in)
			if err := g.files.ReadFloat32(name, whole); err != nil {
				return err
			}
		}
		for i := range dst {
			dst[i] = whole[i%in*out+first+i/in]
		}
		if first+len(dst)/in == out {
			whole = nil // that was the last row
		}
		return nil
	}
}

func added(read rows, x float32) rows {
	return func(dst []float32, first int) error {
		err := read(dst, first)
		for i := range dst {
			dst[i] += x
		}
		return err
	}
}

// interleaved is the order of the rows of queries or keys for heads whose rotary pairs stand
// side by side (2i, 2i+1), when the file has them half a head apart (i, i+D/2): what
// llama.cpp's "norm" rotation wants of a Llama, whose files are for "neox".
func interleaved(heads, headSize int) []int {
	order := make([]int, heads*headSize)
	half := headSize / 2
	for i := range order {
		head, within := i/headSize, i%headSize
		order[i] = head*headSize + within%2*half + within/2
	}
	return order
}
