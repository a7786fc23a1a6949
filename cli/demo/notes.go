package demo

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"
)

//go:embed patient-notes
var notes embed.FS

// Sets are the names of the sample data's files: rows to train on, to validate, and held out.
var Sets = []string{"train", "validation", "test"}

// setBytesMax bounds an unpacked set: the largest, train, has 2.4 MB.
const setBytesMax = 16 << 20

// Set returns one of Sets as JSON lines.
func Set(name string) ([]byte, error) {
	packed, err := notes.ReadFile("patient-notes/" + name + ".jsonl.zst")
	if err != nil {
		return nil, err
	}
	d, err := zstd.NewReader(bytes.NewReader(packed), zstd.WithDecoderMaxMemory(setBytesMax))
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return io.ReadAll(d)
}

// Extract writes the sample data and its README into dir, which is made if need be.
func Extract(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	readme, err := notes.ReadFile("patient-notes/README.md")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "README.md"), readme, 0o644); err != nil {
		return err
	}
	for _, name := range Sets {
		b, err := Set(name)
		if err != nil {
			return fmt.Errorf("unpack %s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".jsonl"), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// row is one line of the data.
type row struct{ Prompt, Completion string }

// firstRows reads the first n rows of a set; all, if it has fewer.
func firstRows(name string, n int) ([]row, error) {
	b, err := Set(name)
	if err != nil {
		return nil, err
	}
	var rows []row
	for d := json.NewDecoder(bytes.NewReader(b)); d.More() && len(rows) < n; {
		var r row
		if err := d.Decode(&r); err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// firstLines returns the first n lines of text.
func firstLines(text []byte, n int) []byte {
	end := 0
	for range n {
		i := bytes.IndexByte(text[end:], '\n')
		if i < 0 {
			return text
		}
		end += i + 1
	}
	return text[:end]
}
