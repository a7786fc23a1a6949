package pretrain

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"

	"outcrop.dev/outcrop/format/chattemplate"
	"outcrop.dev/outcrop/format/tokenizer"
)

// lineBytesMax bounds a line: the longest document of the corpus has 0.3 MB.
const lineBytesMax = 16 << 20

// corpus is tokenised documents, one after another.
type corpus struct {
	tokens  []uint16
	ends    []int          // of each document in tokens
	Kept    int            // lines
	Dropped int            // lines whose licence or group is left out
	origins map[origin]int // lines kept
}

// add appends a document.
func (c *corpus) add(tokens []int32) {
	for _, t := range tokens {
		c.tokens = append(c.tokens, uint16(t))
	}
	c.ends = append(c.ends, len(c.tokens))
}

// line is one record of either kind of file.
type line struct {
	Text, Prompt, Completion string
	Licence, Source, Group   string
}

// shareable tells whether a model trained on the line may be given away under a permissive
// licence everywhere: not if share-alike, not if in copyright in some countries.
func (l line) shareable() bool {
	return !strings.Contains(l.Licence, "-SA") && !strings.Contains(l.Licence, "may be in copyright outside US")
}

// encoder turns lines into tokens.
type encoder struct {
	tok      *tokenizer.Tokenizer
	template *chattemplate.Template
	eos      int32
}

func newEncoder(tokenizerFile string) (*encoder, error) {
	tok, err := tokenizer.Load(tokenizerFile)
	if err != nil {
		return nil, err
	}
	template, err := chattemplate.New(tok)
	if err != nil {
		return nil, err
	}
	return &encoder{tok: tok, template: template, eos: template.EndOfText()}, nil
}

// document is one encoded line.
type document struct {
	tokens []int32
	err    error
}

func (e *encoder) encode(l line) document {
	if l.Text == "" {
		x, err := e.template.Row(l.Prompt, l.Completion)
		return document{x.Tokens, err}
	}
	tokens, err := e.tok.Encode(l.Text)
	if err != nil || len(tokens) == 0 {
		return document{err: err}
	}
	return document{append(tokens, e.eos), nil}
}

// filter says which lines are left out.
type filter struct {
	all    bool // keep everything: validation
	groups []string
}

func (f filter) keep(l line) bool {
	return f.all || l.shareable() && !slices.Contains(f.groups, l.Group)
}

// read adds the documents of a file, in order, encoded by several threads.
func (c *corpus) read(path string, e *encoder, f filter, threads int) error {
	in, err := open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	r := bufio.NewReaderSize(in, 1<<20)
	for number := 1; ; {
		lines, next, err := c.readLines(r, f, number)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if next == number {
			return nil
		}
		for i, d := range e.encodeAll(lines, threads) {
			if d.err != nil {
				return fmt.Errorf("%s: a document near line %d: %w", path, number+i, d.err)
			}
			if len(d.tokens) > 1 {
				c.add(d.tokens)
			}
		}
		number = next
	}
}

// linesAtOnce is how many lines are in memory at a time.
const linesAtOnce = 1024

// readLines returns up to linesAtOnce lines that the filter keeps, and the next line number.
func (c *corpus) readLines(r *bufio.Reader, f filter, number int) ([]line, int, error) {
	var lines []line
	for len(lines) < linesAtOnce {
		b, err := readLine(r)
		if errors.Is(err, io.EOF) {
			return lines, number, nil
		}
		if err != nil {
			return nil, number, fmt.Errorf("line %d: %w", number, err)
		}
		var l line
		if err := json.Unmarshal(b, &l); err != nil {
			return nil, number, fmt.Errorf("line %d: %w", number, err)
		}
		if number++; f.keep(l) {
			c.Kept++
			c.origins[origin{l.Source, l.Licence}]++
			lines = append(lines, l)
		} else {
			c.Dropped++
		}
	}
	return lines, number, nil
}

// readLine returns the next line without its end, io.EOF after the last.
func readLine(r *bufio.Reader) ([]byte, error) {
	var long []byte
	for {
		b, err := r.ReadSlice('\n')
		long = append(long, b...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull) && len(long) <= lineBytesMax:
			continue
		case len(long) > lineBytesMax:
			return nil, fmt.Errorf("longer than %d bytes", lineBytesMax)
		case errors.Is(err, io.EOF) && len(long) > 0:
			return long, nil
		}
		return long, err
	}
}

func (e *encoder) encodeAll(lines []line, threads int) []document {
	docs := make([]document, len(lines))
	var wg sync.WaitGroup
	for t := range threads {
		wg.Go(func() {
			for i := t; i < len(lines); i += threads {
				docs[i] = e.encode(lines[i])
			}
		})
	}
	wg.Wait()
	return docs
}

// open opens a file, decompressed if its name ends in .zst.
func open(path string) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil || !strings.HasSuffix(path, ".zst") {
		return f, err
	}
	d, err := zstd.NewReader(f)
	if err != nil {
		f.Close()
		return nil, err
	}
	return decompressed{d, f}, nil
}

type decompressed struct {
	*zstd.Decoder
	file *os.File
}

func (d decompressed) Close() error {
	d.Decoder.Close()
	return d.file.Close()
}
