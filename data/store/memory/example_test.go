package memory_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/store/memory"
)

// A test has a store in a line.
func Example() {
	s := memory.New(time.Now)
	page, next, err := s.List(context.Background(), outcrop.Query{Kind: outcrop.KindJob, AllScopes: true})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(page), next == "")
	// Output: 0 true
}
