package recipe_test

import (
	"fmt"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/recipe"
)

// A job says what it cares for. The model's defaults and the rules of "auto" say the rest.
func Example() {
	base := outcrop.FoundationModel{Defaults: outcrop.TrainDefaults{Epochs: 3, BatchSize: 16, LearningRate: 5e-4, WarmupSteps: 20}}
	spec, err := recipe.Parse(base, map[string]string{"epochCount": "2", "method": "lora", "loraRank": "auto"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("left open:", spec.Open)
	spec = recipe.Resolve(spec, recipe.Facts{Rows: 5000, Tokens: 500_000, Longest: 300, Params: 7_000_000})
	fmt.Println("chosen: rank", spec.LoRA.Rank, "rate", spec.PeakRate(), "steps", spec.Steps(5000))

	_, err = recipe.Parse(base, map[string]string{"epochCount": "11"})
	fmt.Println(err)
	// Output:
	// left open: [dither loraRank loraAlpha microBatchTokens activationCheckpointing evaluationInterval bestCheckpoint learningRate]
	// chosen: rank 16 rate 0.002 steps 626
	// ValidationException: The value "11" of hyperparameter epochCount is not valid: it must be an integer from 1 to 10, or auto.
}
