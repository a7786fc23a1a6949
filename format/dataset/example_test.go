package dataset_test

import (
	"fmt"
	"log"
	"strings"

	"outcrop.dev/outcrop/format/dataset"
)

// Rows are passed on as they are read, and what is wrong is told by its line.
func ExampleRead() {
	data := `{"prompt": "Hello", "completion": "Hello to you."}
{"prompt": "Hello", "completion": ""}
`
	result, err := dataset.Read(strings.NewReader(data), dataset.Limits{}, func(r dataset.Row) error {
		fmt.Println(r.Line, r.Messages[1].Text())
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range result.Problems {
		fmt.Println(p)
	}
	// Output:
	// 1 Hello to you.
	// line 2: "completion" is empty: fill it in or remove the row
}
