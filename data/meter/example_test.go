package meter_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/meter"
)

// Two invocations of a model are added up.
func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	ctx := context.Background()
	m, err := meter.Open(ctx, filepath.Join(dir, "usage.db"), nil, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()

	for range 2 {
		m.Record(ctx, outcrop.Usage{At: time.Now(), Resource: "arn:model", Operation: "InvokeModel", InputTokens: 10, OutputTokens: 3})
	}
	if err := m.Flush(ctx); err != nil {
		log.Fatal(err)
	}
	totals, err := m.Totals(ctx, meter.Filter{Resource: "arn:model"})
	if err != nil {
		log.Fatal(err)
	}
	for _, t := range totals {
		fmt.Println(t.Operation, t.Events, t.InputTokens, t.OutputTokens)
	}
	// Output: InvokeModel 2 20 6
}
