package datacheck

import (
	"context"
	"fmt"
	"io"
	"runtime"

	"outcrop.dev/outcrop/format/chattemplate"
	"outcrop.dev/outcrop/format/dataset"
)

// Rows are measured in parallel, in blocks: one goroutine reads and parses, others render and
// hash, and the caller gets the rows in the order of the file. Only so many blocks are under
// way at a time, so that memory does not grow with the file.
const (
	blockRows      = 64
	blocksPerScans = 4 // for each worker: enough to keep it busy while the reader waits for the disk
)

// block is some consecutive rows on their way.
type block struct {
	rows []dataset.Row
	out  []scanned
	done chan struct{}
}

// scanner reads files for one check.
type scanner struct {
	template     *chattemplate.Template
	context      int // tokens of a row
	modelContext int
	workers      int
	turns        Turns
	formats      []dataset.Format
}

// scanned is one row, measured.
type scanned struct {
	line        int
	format      dataset.Format
	example     chattemplate.Example
	bad         error // why it cannot be rendered
	row, prompt fingerprint
}

// scan reads all rows of r, in order, and calls use for each. It returns what dataset.Read
// found, and the error of reading.
func (s *scanner) scan(ctx context.Context, r io.Reader, limits dataset.Limits, use func(scanned)) (dataset.Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	workers := s.workers
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	work := make(chan *block)
	inOrder := make(chan *block, workers*blocksPerScans)
	for range workers {
		go s.measure(work)
	}
	var result dataset.Result
	var readErr error
	go func() {
		defer close(inOrder)
		defer close(work)
		result, readErr = readBlocks(ctx, r, limits, inOrder, work)
	}()
	for b := range inOrder { // to the end, so that the reader is no longer running after it
		<-b.done
		for _, row := range b.out {
			use(row)
		}
	}
	return result, readErr
}

// readBlocks sends each block to both channels: to the one that keeps the order, and to
// whoever measures next.
func readBlocks(ctx context.Context, r io.Reader, limits dataset.Limits, inOrder, work chan<- *block) (dataset.Result, error) {
	var rows []dataset.Row
	send := func() {
		b := &block{rows: rows, done: make(chan struct{})}
		inOrder <- b
		work <- b
		rows = nil
	}
	result, err := dataset.Read(r, limits, func(row dataset.Row) error {
		if rows = append(rows, row); len(rows) == blockRows {
			send()
		}
		giveWay()
		return ctx.Err()
	})
	if err == nil && len(rows) > 0 {
		send()
	}
	return result, err
}

// measure renders and hashes blocks until work is closed.
func (s *scanner) measure(work <-chan *block) {
	for b := range work {
		s.turns.take()
		b.out = make([]scanned, 0, len(b.rows))
		for _, row := range b.rows {
			b.out = append(b.out, s.measureRow(row))
			giveWay()
		}
		s.turns.leave()
		close(b.done)
	}
}

// Turns bound how many goroutines tokenize at a time, whichever check they are of: its capacity.
type Turns chan struct{}

func (t Turns) take() {
	if t != nil {
		t <- struct{}{}
	}
}

func (t Turns) leave() {
	if t != nil {
		<-t
	}
}

// giveWay is called after each row, so that whoever else waits for a processor, as an answer of a model,
// waits for a row and not for the 10 ms that Go's scheduler gives. Each of the others has several turns
// for one row. Where nobody waits it takes less than a microsecond.
func giveWay() {
	for range 4 {
		runtime.Gosched()
	}
}

// measureRow renders and hashes a row. A panic would be our own bug; because texts and tokenizers
// come from strangers it is one row that fails of it, not the server.
func (s *scanner) measureRow(row dataset.Row) (out scanned) {
	out = scanned{line: row.Line, format: row.Format}
	defer func() {
		if p := recover(); p != nil {
			out.bad = fmt.Errorf("the row cannot be rendered, which is a fault of Outcrop: %v", p)
		}
	}()
	if row.Format == dataset.Documents {
		out.row = fingerprintOf(row.Text)
		out.prompt = out.row // of which all is learnt
		out.example, out.bad = s.template.Document(row.Text)
		return out
	}
	texts := make([]string, len(row.Messages))
	for i, m := range row.Messages {
		texts[i] = m.Text()
	}
	out.row, out.prompt = fingerprintOf(texts...), fingerprintOf(texts[:len(texts)-1]...)
	out.example, out.bad = s.template.Example(row.Messages)
	return out
}
