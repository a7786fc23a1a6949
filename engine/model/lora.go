package model

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/engine/tensor"
)

// Limits of a LoRA.
const (
	// RankMax is the largest rank in use; beyond it full fine-tuning costs less. Jobs, and the
	// adapters that others made, have the same limit (recipe.RankMax).
	RankMax = 256
	// AlphaMax bounds lora_alpha; values in use are once or twice the rank.
	AlphaMax = 1 << 20
	// dropoutMax keeps 1/(1−p) small.
	dropoutMax = 0.95
	// targetsMax bounds target_modules: full paths of seven modules of every layer.
	targetsMax = 8 * layersMax
)

// LoRA says which adapters of low rank are trained in place of the weights: each linear layer
// W that is a target becomes W + Scale·B·A, with A (Rank,in) and B (out,Rank). Hu et al. 2021,
// arXiv:2106.09685.
type LoRA struct {
	Rank    int
	Alpha   float64
	Dropout float64 // of the adapters' inputs, in training
	// Targets are modules as Hugging Face names them: the last parts of a path, such as q_proj
	// or mlp.c_proj. None means every linear layer of the blocks.
	Targets []string
	// RSLoRA scales by Alpha/√Rank in place of Alpha/Rank (Kalajdzievski 2023, arXiv:2312.03732).
	RSLoRA bool
	Seed   uint64 // of the initial A and of the dropout
	// Base is what adapter_config.json names as the base model; "" for nothing.
	Base string
}

// Scale returns what the product of the factors is multiplied by.
func (l LoRA) Scale() float64 {
	if l.RSLoRA {
		return l.Alpha / math.Sqrt(float64(l.Rank))
	}
	return l.Alpha / float64(l.Rank)
}

// Check returns an error that names the first number which is out of range, or the target
// that a model of config c does not have.
func (l LoRA) Check(c Config) error {
	if err := l.checkNumbers(); err != nil {
		return err
	}
	modules := c.modules()
	for _, t := range l.Targets {
		if !slices.ContainsFunc(modules, func(m string) bool { return isTarget(m, t) }) {
			return fmt.Errorf("there is no linear layer %q in a %s model; it has %s", t, c.Family, strings.Join(c.TargetNames(), ", "))
		}
	}
	return nil
}

func (l LoRA) checkNumbers() error {
	switch {
	case l.Rank < 1 || l.Rank > RankMax:
		return fmt.Errorf("the rank of LoRA is %d: it must be from 1 to %d", l.Rank, RankMax)
	case !(l.Alpha > 0 && l.Alpha <= AlphaMax):
		return fmt.Errorf("the alpha of LoRA is %g: it must be above 0 and at most %d", l.Alpha, AlphaMax)
	case !(l.Dropout >= 0 && l.Dropout <= dropoutMax):
		return fmt.Errorf("the dropout of LoRA is %g: it must be from 0 to %g", l.Dropout, dropoutMax)
	case len(l.Targets) > targetsMax:
		return fmt.Errorf("LoRA has %d targets: at most %d", len(l.Targets), targetsMax)
	}
	return nil
}

// isTarget tells whether target, a path or the end of one, names module, as PEFT does.
func isTarget(module, target string) bool {
	return module == target || strings.HasSuffix(module, "."+target)
}

// selects returns whether a module is adapted.
func (l LoRA) selects(module string) bool {
	return len(l.Targets) == 0 || slices.ContainsFunc(l.Targets, func(t string) bool { return isTarget(module, t) })
}

// modules returns the paths of the linear layers of a model's blocks.
func (c Config) modules() (names []string) {
	for _, p := range families[c.Family].weights(c).linears() {
		for _, part := range partsOf(p) {
			names = append(names, moduleOf(part))
		}
	}
	return names
}

// TargetNames returns the short names of what a LoRA can adapt, in the order of a block.
func (c Config) TargetNames() (names []string) {
	for _, m := range c.modules() {
		if name := m[strings.LastIndexByte(m, '.')+1:]; !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// linears returns the matrices of the blocks.
func (w *weights) linears() (ps []*nn.Param) {
	for _, l := range w.layers {
		ps = append(ps, l.QKV.W, l.O.W, l.GateUp.W, l.Down.W)
	}
	return ps
}

// partsOf returns the tensors that p is made of, itself if they are not several.
func partsOf(p *nn.Param) []nn.Part {
	if p.Parts == nil {
		return []nn.Part{{Name: p.Name, Rows: p.Rows}}
	}
	return p.Parts
}

// moduleOf returns the path of the module that a part is the weight of.
func moduleOf(p nn.Part) string { return strings.TrimSuffix(p.Name, ".weight") }

// adapt puts adapters without memory on the linear layers of w that selects names, and
// returns them in the order of the forward pass.
func (w *weights) adapt(l LoRA, selects func(module string) bool) []*nn.Adapter {
	var as []*nn.Adapter
	var drop *nn.Dropout
	if l.Dropout > 0 {
		drop = &nn.Dropout{P: l.Dropout, Seed: l.Seed}
	}
	for i, p := range w.linears() {
		a := &nn.Adapter{Out: p.Rows, Scale: float32(l.Scale()), Drop: drop, Layer: uint64(i)}
		var parts []nn.Part
		column := 0
		for _, part := range partsOf(p) {
			if selects(moduleOf(part)) {
				parts, a.Columns = append(parts, part), append(a.Columns, column)
			}
			column += part.Rows
		}
		if len(parts) > 0 {
			a.A, a.B = factorsOf(p, parts, l.Rank)
			p.Adapter = a
			as = append(as, a)
		}
	}
	return as
}

// planAdapters gives the adapters of w their memory for n tokens.
func (w *weights) planAdapters(n int, alloc nn.Alloc) {
	var as []*nn.Adapter
	for _, p := range w.linears() {
		if p.Adapter != nil {
			as = append(as, p.Adapter)
		}
	}
	if len(as) == 0 {
		return
	}
	s := nn.NewAdapterScratch(as, n, alloc)
	for _, a := range as {
		a.Plan(s, n, alloc)
	}
}

// factorsOf returns A and B, stacked, of some parts of p, under PEFT's names.
func factorsOf(p *nn.Param, parts []nn.Part, rank int) (a, b *nn.Param) {
	name := peftPrefix + strings.TrimSuffix(p.Name, ".weight")
	a = nn.NewParam(name+suffixA, rank*len(parts), p.Cols)
	rows := 0
	for _, part := range parts {
		a.Parts = append(a.Parts, nn.Part{Name: peftPrefix + moduleOf(part) + suffixA, Rows: rank})
		rows += part.Rows
	}
	b = nn.NewParam(name+suffixB, rows, rank)
	b.Order = p.Order
	for _, part := range parts {
		b.Parts = append(b.Parts, nn.Part{Name: peftPrefix + moduleOf(part) + suffixB, Rows: part.Rows})
	}
	return a, b
}

// paramsOf returns the factors of adapters, which are what a LoRA trains.
func paramsOf(as []*nn.Adapter) (ps []*nn.Param) {
	for _, a := range as {
		ps = append(ps, a.A, a.B)
	}
	return ps
}

func lengthOf(ps []*nn.Param) (n int) {
	for _, p := range ps {
		n += p.Len()
	}
	return n
}

// AddLoRA freezes the weights, as Save would round them, and adds adapters that begin as
// PEFT's do: A uniform within ±1/√in (He et al. 2015 with a = √5), B zero, so that the model
// computes what it did. Plan comes after. Errors: those of Check; adapters are there already;
// no memory.
func (m *Model) AddLoRA(l LoRA) error {
	if err := l.Check(m.Config); err != nil {
		return err
	}
	if err := m.addAdapters(l, l.selects); err != nil {
		return err
	}
	for i, a := range m.adapters {
		fillUniform(a.A.W, rand.New(rand.NewPCG(l.Seed, uint64(i))), 1/math.Sqrt(float64(a.A.Cols)))
	}
	return nil
}

func fillUniform(w []float32, r *rand.Rand, bound float64) {
	for i := range w {
		w[i] = float32((2*r.Float64() - 1) * bound)
	}
}

// addAdapters freezes the weights and adds adapters whose factors are zero.
func (m *Model) addAdapters(l LoRA, selects func(module string) bool) error {
	if m.adapters != nil {
		return fmt.Errorf("the model has adapters already")
	}
	if err := m.release(); err != nil {
		return err
	}
	if err := m.freeze(); err != nil {
		return err
	}
	as := m.weights.adapt(l, selects)
	ps := paramsOf(as)
	arena, err := tensor.NewArena(4*lengthOf(ps) + arenaSlack(len(ps)))
	if err != nil {
		return fmt.Errorf("memory for the adapters: %w", err)
	}
	for _, p := range ps {
		p.W = arena.F32(p.Len())
	}
	m.lora, m.adapters, m.trainable, m.factors = l, as, ps, arena
	return nil
}

// Trainable returns what is trained, in the order of the forward pass: every parameter, or
// after AddLoRA or LoadAdapter the factors of the adapters. Their gradients are there after
// Plan.
func (m *Model) Trainable() []*nn.Param { return m.trainable }

// LoRA returns the options of the model's adapters; ok is false if it has none.
func (m *Model) LoRA() (l LoRA, ok bool) { return m.lora, m.adapters != nil }

// TrainableParams returns how many numbers are trained: all weights, or those of l's adapters
// if it is not nil.
func (c Config) TrainableParams(l *LoRA) int {
	if l == nil {
		return c.Params()
	}
	return lengthOf(paramsOf(families[c.Family].weights(c).adapt(*l, l.selects)))
}

// BeginStep tells the dropout of the adapters that the next Accumulate begins the given step:
// what it drops depends on the step and on the tokens since then, and so a resumed run drops
// the same.
func (m *Model) BeginStep(step int) {
	if d := m.dropout(); d != nil {
		d.Step, d.Row = uint64(step), 0
	}
}

// dropout returns the dropout of the adapters, which share one; nil for none.
func (m *Model) dropout() *nn.Dropout {
	if len(m.adapters) == 0 {
		return nil
	}
	return m.adapters[0].Drop
}
