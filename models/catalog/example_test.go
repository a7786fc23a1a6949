package catalog_test

import (
	"fmt"
	"log"
	"os"

	"outcrop.dev/outcrop/models/catalog"
)

// A new data directory has the embedded model, which also answers for Titan's ids.
func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	c, err := catalog.Open(dir)
	if err != nil {
		log.Fatal(err)
	}
	for _, id := range []string{"outcrop.pebble-v1", "amazon.titan-text-express-v1:0:8k", "acme.notes-v1"} {
		m, ok := c.Lookup(id)
		fmt.Println(id, m.ID, ok)
	}
	// Output:
	// outcrop.pebble-v1 outcrop.pebble-v1 true
	// amazon.titan-text-express-v1:0:8k amazon.titan-text-express-v1 true
	// acme.notes-v1  false
}
