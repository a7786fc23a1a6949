package hub_test

import (
	"fmt"

	"outcrop.dev/outcrop/models/hub"
)

// A name as people write it, and what it means.
func ExampleParseName() {
	name, err := hub.ParseName("HuggingFaceTB/SmolLM2-135M")
	fmt.Println(name, name.Revision, err)
	_, err = hub.ParseName("SmolLM2/135M/extra")
	fmt.Println(err != nil)
	// Output:
	// HuggingFaceTB/SmolLM2-135M main <nil>
	// true
}
