package train

import (
	"math"
	"slices"
	"testing"

	"outcrop.dev/outcrop/engine/model"
)

func TestNewExample(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		from int
		want []int32
	}{
		{0, []int32{11, 12, 13}},
		{1, []int32{11, 12, 13}},
		{2, []int32{model.Ignore, 12, 13}},
		{3, []int32{model.Ignore, model.Ignore, 13}},
		{4, []int32{model.Ignore, model.Ignore, model.Ignore}},
	} {
		e := NewExample([]int32{10, 11, 12, 13}, c.from)
		if !slices.Equal(e.Targets, c.want) || !slices.Equal(e.Tokens, []int32{10, 11, 12}) {
			t.Errorf("from %d: %v", c.from, e)
		}
	}
}

// TestRows: every epoch holds every example once, in an order of its own that depends on
// the seed; a step asked for again is the same.
func TestRows(t *testing.T) {
	t.Parallel()
	all := make([]Example, 10)
	for i := range all {
		all[i].Tokens = []int32{int32(i)}
	}
	order := func(seed uint64) (ids []int32) {
		r := &Rows{All: all, BatchSize: 4, Epochs: 2, Seed: seed}
		if r.Steps() != 6 {
			t.Fatalf("Steps() = %d", r.Steps())
		}
		for step := range r.Steps() {
			for _, e := range r.Examples(step) {
				ids = append(ids, e.Tokens[0])
			}
		}
		if first := r.Examples(0); first[0].Tokens[0] != ids[0] {
			t.Error("step 0 asked for again is another")
		}
		return ids
	}
	a, b := order(1), order(2)
	for _, epoch := range [][]int32{a[:10], a[10:], b[:10]} {
		sorted := slices.Sorted(slices.Values(epoch))
		for i, id := range sorted {
			if int(id) != i {
				t.Fatalf("an epoch holds %v", epoch)
			}
		}
	}
	if slices.Equal(a[:10], a[10:]) || slices.Equal(a, b) {
		t.Errorf("orders repeat: %v %v", a, b)
	}
	if !slices.Equal(a, order(1)) {
		t.Error("the same seed gives another order")
	}
}

func TestSchedules(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		s    Schedule
		want []float64
	}{
		"linear":       {Linear(2, 6), []float64{0.5, 1, 1, 0.75, 0.5, 0.25, 0, 0}},
		"no warmup":    {Linear(0, 2), []float64{1, 0.5, 0}},
		"all warmup":   {Linear(2, 2), []float64{0.5, 1, 0}},
		"cosine":       {Cosine(1, 5), []float64{1, 1, (2 + math.Sqrt2) / 4, 0.5, (2 - math.Sqrt2) / 4, 0, 0}},
		"constant":     {Constant(2), []float64{0.5, 1, 1, 1}},
		"wsd":          {WSD(1, 2, 5), []float64{1, 1, 1, 1, 0.5, 0}},
		"wsd no decay": {WSD(2, 0, 3), []float64{0.5, 1, 1, 0}},
	} {
		for step, want := range c.want {
			if got := c.s(step); math.Abs(got-want) > 1e-12 {
				t.Errorf("%s: step %d takes %g, want %g", name, step, got, want)
			}
		}
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	good := FineTune(10, 1e-3, 2)
	if err := good.check(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*Options){
		"rate":  func(o *Options) { o.LearningRate = math.NaN() },
		"beta":  func(o *Options) { o.Beta2 = 1 },
		"clip":  func(o *Options) { o.Clip = 0 },
		"micro": func(o *Options) { o.MicroTokens = 0 },
		"steps": func(o *Options) { o.Steps = -1 },
	} {
		o := good
		if change(&o); o.check() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
