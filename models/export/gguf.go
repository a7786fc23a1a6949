package export

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/format/gguf"
	"outcrop.dev/outcrop/format/safetensors"
	"outcrop.dev/outcrop/internal/durable"
)

// Options are what GGUF may be asked for.
type Options struct {
	Name string     // general.name; the directory's name if ""
	Type *gguf.Type // of the matrices; nil is what the model's files have
}

// GGUF writes the model as the file to, as llama.cpp reads it: its tensor names, its order of
// the rotary pairs, its tokenizer and its chat template. Vectors are float32; a matrix whose
// rows the type does not divide is f16. An adapter is merged into its base first. The error
// names a family, a tensor or a tokenizer that llama.cpp has no word for.
func GGUF(ctx context.Context, to string, m Model, o Options) (Report, error) {
	if err := free(to); err != nil {
		return Report{}, err
	}
	if err := os.MkdirAll(filepath.Dir(filepath.Clean(to)), 0o755); err != nil {
		return Report{}, err
	}
	if o.Name == "" {
		o.Name = filepath.Base(filepath.Clean(m.Dir))
	}
	if m.Base == "" {
		return writeGGUF(ctx, to, m.Dir, o)
	}
	temp, err := os.MkdirTemp(filepath.Dir(filepath.Clean(to)), "."+filepath.Base(to)+"-*"+durable.TempSuffix)
	if err != nil {
		return Report{}, err
	}
	defer os.RemoveAll(temp)
	whole := filepath.Join(temp, "merged")
	if _, err := merged(ctx, whole, m); err != nil {
		return Report{}, err
	}
	return writeGGUF(ctx, to, whole, o)
}

// writeGGUF writes the whole model in dir.
func writeGGUF(ctx context.Context, to, dir string, o Options) (Report, error) {
	c, err := model.Check(dir)
	if err != nil {
		return Report{}, err
	}
	family, ok := architectures[c.Family]
	if !ok {
		return Report{}, fmt.Errorf("a %s model cannot be exported as GGUF yet: %s can", c.Family, strings.Join(GGUFFamilies(), ", "))
	}
	g := &conversion{dir: dir, config: c}
	if g.files, err = safetensors.OpenDir(dir); err != nil {
		return Report{}, err
	}
	defer g.files.Close()
	if g.typ = g.filesType(); o.Type != nil {
		g.typ = *o.Type
	}
	if err := g.convert(family, o.Name); err != nil {
		return Report{}, fmt.Errorf("%s: %w", dir, err)
	}
	if err := gguf.WriteFile(to, g.fields, until(ctx, g.tensors)); err != nil {
		return Report{}, err
	}
	info, err := os.Stat(to)
	if err != nil {
		return Report{}, err
	}
	return Report{to, len(g.tensors), info.Size(), g.notes}, nil
}

// until makes reading the tensors end with ctx.
func until(ctx context.Context, tensors []gguf.Tensor) []gguf.Tensor {
	for i := range tensors {
		read := tensors[i].Rows
		tensors[i].Rows = func(dst []float32, first int) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return read(dst, first)
		}
	}
	return tensors
}

// conversion is one model on its way into a GGUF file.
type conversion struct {
	dir     string
	config  model.Config
	files   *safetensors.Set
	typ     gguf.Type
	prefix  string // of the keys that belong to the architecture
	fields  []gguf.Field
	tensors []gguf.Tensor
	notes   []string
}

// filesType is the type that most elements of the files' matrices have. config.json does not
// tell it: it may name another, and bfloat16 would take three digits from float16.
func (g *conversion) filesType() gguf.Type {
	elements := map[safetensors.DType]int{}
	for _, name := range g.files.Names() {
		if info, _ := g.files.Info(name); len(info.Shape) == 2 {
			elements[info.DType] += info.Elements()
		}
	}
	switch most := max(elements[safetensors.F32], elements[safetensors.F16], elements[safetensors.BF16]); most {
	case elements[safetensors.F32]:
		return gguf.F32
	case elements[safetensors.F16]:
		return gguf.F16
	}
	return gguf.BF16
}

func (g *conversion) set(key string, value any) {
	g.fields = append(g.fields, gguf.Field{Key: key, Value: value})
}

// own sets a key of the architecture.
func (g *conversion) own(key string, value any) { g.set(g.prefix+key, value) }

func (g *conversion) note(format string, args ...any) {
	g.notes = append(g.notes, fmt.Sprintf(format, args...))
}

// fileTypes are general.file_type's numbers (llama_ftype).
var fileTypes = map[gguf.Type]uint32{gguf.F32: 0, gguf.F16: 1, gguf.Q8_0: 7, gguf.BF16: 32}

func (g *conversion) convert(a architecture, name string) error {
	g.prefix = a.name + "."
	g.set("general.architecture", a.name)
	g.set("general.type", "model")
	g.set("general.name", name)
	g.set("general.file_type", fileTypes[g.typ])
	g.set("general.quantization_version", uint32(2)) // of ggml's block formats, Q8_0 among them
	if err := a.keys(g); err != nil {
		return err
	}
	if err := g.vocabulary(); err != nil {
		return err
	}
	return g.weights(a)
}
