// Package recipe says what a training job may be told: the names of the hyperparameters, their
// ranges and defaults, and what "auto" means.
//
// It turns Bedrock's strings into an outcrop.TrainSpec and back, and chooses by rule what a job
// leaves open. All of it is pure: the same words and the same facts give the same spec. It knows
// no model, no data and no machine. Facts tells it what it needs of them.
//
//	spec, err := recipe.Parse(base, map[string]string{"epochCount": "2", "learningRate": "auto"})
//	spec = recipe.Resolve(spec, recipe.Facts{Rows: 5000, Params: 7_000_000})
//	recipe.Values(spec)["learningRate"] // "0.0005"
package recipe
