package customize

import (
	"strings"
	"testing"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/datacheck"
	"outcrop.dev/outcrop/engine/recipe"
)

// TestPlanKnowsAllRows: every row takes memory, of validation too, and of what is cut off nothing.
func TestPlanKnowsAllRows(t *testing.T) {
	t.Parallel()
	spec := recipe.Default(outcrop.TrainDefaults{Epochs: 1, BatchSize: 4, LearningRate: 1e-4})
	spec.EvaluationInterval = 100
	data := func(report *datacheck.Report) int64 {
		plan, err := NewPlan(outcrop.ModelFiles{Dir: tinyModel()}, exec(), report, spec, 0)
		if err != nil {
			t.Fatal(err)
		}
		return plan.Memory.Data
	}
	few, many := data(check(t, 64, lines(4))), data(check(t, 64, lines(4), lines(1000)))
	if many-few < 1000*dataBytesPerRow {
		t.Errorf("%d bytes for 4 rows, %d with 1,000 of validation", few, many)
	}
	var texts string
	for range 1000 {
		texts += documentLine("A text.")
	}
	if got := data(check(t, 64, texts)); got < 1000*dataBytesPerRow {
		t.Errorf("%d bytes for 1,000 short documents", got)
	}
	long := "a b c d e f g h a b c d e f g h a b c d e f g h"
	if whole, cut := data(check(t, 512, rows("p", long))), data(check(t, 10, rows("p", long))); whole-cut < 14*dataBytesPerToken {
		t.Errorf("%d bytes for a long row, %d for one that is cut off", whole, cut)
	}
}

// TestPlanOnAdapters: there are no adapters on adapters, so none are chosen, nor advised.
func TestPlanOnAdapters(t *testing.T) {
	t.Parallel()
	spec := recipe.Default(outcrop.TrainDefaults{Epochs: 1, BatchSize: 4, LearningRate: 1e-4})
	spec.EvaluationInterval, spec.Recompute, spec.Open = 100, true, []string{"method"}
	report := check(t, 64, lines(40))
	whole := outcrop.ModelFiles{Dir: tinyModel()}
	full, err := NewPlan(whole, exec(), report, spec, 0)
	if err != nil {
		t.Fatal(err)
	}
	memory := full.Memory.Total() - 1
	if p, err := NewPlan(whole, exec(), report, spec, memory); err != nil || p.Train.Method != outcrop.MethodLoRA {
		t.Errorf("of a whole model: %+v, %v", p, err)
	}
	adapters := outcrop.ModelFiles{Dir: t.TempDir(), BaseDir: tinyModel()}
	p, err := NewPlan(adapters, exec(), report, spec, memory)
	if outcrop.CodeOf(err) != outcrop.CodeValidation || strings.Contains(err.Error(), "lora") || p.Train.Method != outcrop.MethodFull {
		t.Errorf("of adapters: %+v, %v", p, err)
	}
	spec.Open = nil
	if _, err := NewPlan(whole, exec(), report, spec, memory); err == nil || !strings.Contains(err.Error(), "method lora (") {
		t.Errorf("of a whole model: %v", err)
	}
}
