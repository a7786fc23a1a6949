package pebble_test

import (
	"fmt"
	"maps"
	"slices"

	"outcrop.dev/outcrop/models/catalog/pebble"
)

// The files of the embedded model.
func ExampleFiles() {
	for _, name := range slices.Sorted(maps.Keys(pebble.Files())) {
		fmt.Println(name)
	}
	// Output:
	// README.md
	// config.json
	// generation_config.json
	// model.safetensors
	// special_tokens_map.json
	// tokenizer.json
	// tokenizer_config.json
	// training.json
}
