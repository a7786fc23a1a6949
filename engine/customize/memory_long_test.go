//go:build long

package customize

// The shape of SmolLM2-135M, 4 rows of 512 tokens a step, in each way to train it.
func init() {
	for name, hyper := range map[string]map[string]string{
		"135M":                                   nil,
		"135M, activations computed again":       {"activationCheckpointing": "true"},
		"135M, LoRA":                             {"method": "lora"},
		"135M, LoRA, activations computed again": {"method": "lora", "activationCheckpointing": "true"},
	} {
		shapes = append(shapes, shape{name, 576, 1536, 30, 9, 3, 49152, 4, 500, 4, hyper, false})
	}
}
