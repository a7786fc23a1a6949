package datacheck

import (
	"context"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"outcrop.dev/outcrop/format/dataset"
)

// bomb is a data file that begins with head and then is of one thing, size bytes of it.
type bomb struct {
	head, of, tail string
	size           int64
}

// open reads it without its ever being in memory.
func (b bomb) open(context.Context) (io.ReadCloser, error) {
	return io.NopCloser(io.MultiReader(strings.NewReader(b.head), io.LimitReader(&repeated{of: []byte(b.of)}, b.size), strings.NewReader(b.tail))), nil
}

// repeated is one text again and again.
type repeated struct {
	of []byte
	at int
}

func (r *repeated) Read(p []byte) (n int, err error) {
	for n < len(p) {
		c := copy(p[n:], r.of[r.at:])
		n, r.at = n+c, (r.at+c)%len(r.of)
	}
	return n, nil
}

const bombBytes = 32 << 20

var dataBombs = map[string]struct {
	bomb
	one bool // with exactly one reason: the file is of one line, or one kind of wrong
}{
	"noughts":           {bomb{of: "\x00", size: bombBytes}, true},
	"one long line":     {bomb{head: `{"prompt":"`, of: "a", tail: `","completion":"b"}`, size: bombBytes}, true},
	"deep lists":        {bomb{of: "[", size: bombBytes}, true},
	"deep objects":      {bomb{of: `{"a":`, size: bombBytes}, true},
	"a deep line":       {bomb{head: `{"prompt":`, of: "[", size: 500_000}, true},
	"many members":      {bomb{head: `{`, of: `"prompt":"a",`, tail: `"completion":"b"}`, size: 900_000}, true},
	"escapes":           {bomb{head: `{"completion":"b","prompt":"`, of: `\u0000`, tail: `"}`, size: 900_000}, false},
	"lone surrogates":   {bomb{head: `{"completion":"b","prompt":"`, of: `\ud800`, tail: `"}`, size: 900_000}, false},
	"a great number":    {bomb{head: `{"prompt":`, of: "9", tail: `,"completion":"b"}`, size: 900_000}, true},
	"not UTF-8":         {bomb{head: `{"prompt":"`, of: "\xff", tail: `","completion":"b"}`, size: 500_000}, true},
	"a mark of UTF-16":  {bomb{head: "\xff\xfe", of: "{\x00", size: 500_000}, true},
	"gzip":              {bomb{head: "\x1f\x8b\x08\x00", of: "\x00", size: 500_000}, true},
	"empty lines":       {bomb{of: "\n", size: bombBytes / 16}, false},
	"lines of one byte": {bomb{of: "x\n", size: bombBytes / 16}, false},
	"combining marks":   {bomb{head: `{"completion":"b","prompt":"a`, of: "\u0301", tail: `"}`, size: 20_000}, false},
	"many messages":     {bomb{head: `{"messages":[`, of: `{"role":"user","content":"a"},`, tail: `{"role":"assistant","content":"b"}]}`, size: 900_000}, true},
	"nothing":           {bomb{of: "x"}, true},
}

// bombMemoryMax is what checking any of them may hold beside what is collected: the longest line
// twice, the tables of the rows, and what the tokenizer needs.
const bombMemoryMax = 16 << 20

// TestDataBombs: whatever a data file is, its check ends, holds a bounded memory, and says what is wrong
// in a report of bounded size, once for each line.
func TestDataBombs(t *testing.T) { // alone: it looks at the memory of the process
	defer debug.SetGCPercent(debug.SetGCPercent(10))
	for name, b := range dataBombs {
		stop := watchHeap()
		c := Checker{Workers: 2}
		r, err := c.Check(t.Context(), pebbleDir, 512, Source{"bomb.jsonl", b.open}, nil)
		grown := stop()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		f := r.Files[0]
		if r.Err() == nil || f.ProblemCount == 0 && f.Rows > 0 {
			t.Errorf("%s: no reason: %+v", name, f)
		}
		if b.one && (f.ProblemCount > 1 || len(f.Problems) > 1) {
			t.Errorf("%s: %d reasons: %v", name, f.ProblemCount, f.Problems)
		}
		if len(f.Problems) > dataset.ProblemsMax || len(r.JSON()) > 256<<10 {
			t.Errorf("%s: %d problems are spelled out, in %d bytes", name, len(f.Problems), len(r.JSON()))
		}
		if grown > bombMemoryMax {
			t.Errorf("%s: the heap grew by %d MiB", name, grown>>20)
		}
		t.Logf("%-18s +%d MiB, %d problems: %.120v", name, grown>>20, f.ProblemCount, r.Err())
	}
}

// watchHeap measures by how much the heap grows until it is told to stop.
func watchHeap() (stop func() uint64) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	before, top := m.HeapAlloc, m.HeapAlloc
	ended, done := make(chan bool), make(chan bool)
	go func() {
		defer close(done)
		for {
			select {
			case <-ended:
				return
			case <-time.After(2 * time.Millisecond):
				runtime.ReadMemStats(&m)
				top = max(top, m.HeapAlloc)
			}
		}
	}()
	return func() uint64 { close(ended); <-done; return top - before }
}
