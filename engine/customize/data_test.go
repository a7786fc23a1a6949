package customize

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"outcrop.dev/outcrop/engine/datacheck"
)

const pebbleDir = "../../models/catalog/pebble"

func text(name, data string) datacheck.Source {
	return datacheck.Source{Name: name, Open: func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(data)), nil
	}}
}

func rows(pairs ...string) string {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		line, _ := json.Marshal(map[string]string{"prompt": pairs[i], "completion": pairs[i+1]})
		b.Write(append(line, '\n'))
	}
	return b.String()
}

// chatLine is a row of chat messages, the user first.
func chatLine(texts ...string) string {
	var all []map[string]string
	for i, text := range texts {
		all = append(all, map[string]string{"role": []string{"user", "assistant"}[i%2], "content": text})
	}
	b, _ := json.Marshal(map[string]any{"messages": all})
	return string(b) + "\n"
}

func documentLine(text string) string {
	b, _ := json.Marshal(map[string]string{"input": text})
	return string(b) + "\n"
}

// check reports on data files as they are before a job.
func check(t *testing.T, contextLength int, train string, validation ...string) *datacheck.Report {
	t.Helper()
	var sources []datacheck.Source
	for i, v := range validation {
		sources = append(sources, text(fmt.Sprintf("s3://b/k/val%d.jsonl", i+1), v))
	}
	r, err := (&datacheck.Checker{}).Check(t.Context(), pebbleDir, contextLength, text("s3://b/k/train.jsonl", train), sources)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
