package customize

import (
	"strconv"
	"testing"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/engine/recipe"
	"outcrop.dev/outcrop/engine/train"
	"outcrop.dev/outcrop/internal/tinymodel"
)

// What a job may be told, the engine can do: package recipe and packages model and train do not
// know each other, and say the same.
func TestRecipeFitsTheEngine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := tinymodel.Write(dir); err != nil {
		t.Fatal(err)
	}
	config, err := model.ReadConfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, alpha := range []string{"0.1", "1024"} {
		spec, err := recipe.Parse(outcrop.FoundationModel{}, map[string]string{
			"method": "lora", "loraRank": strconv.Itoa(recipe.RankMax), "loraAlpha": alpha, "loraDropout": "0.5",
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := lora(spec).Check(config); err != nil {
			t.Errorf("alpha %s: %v", alpha, err)
		}
	}
	if recipe.RankMax != model.RankMax {
		t.Errorf("a job's rank may be %d, an adapter's %d", recipe.RankMax, model.RankMax)
	}
	if job, usual := recipe.Default(outcrop.TrainDefaults{}).MicroTokens, train.FineTune(1, 1, 0).MicroTokens; job != usual {
		t.Errorf("a job takes %d tokens at a time, training %d", job, usual)
	}
}
