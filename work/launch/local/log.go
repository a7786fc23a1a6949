package local

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
)

// Limits of a worker's log.
const (
	logBytesMax  = 16 << 20 // a larger one is put aside, once, when the next attempt starts
	tailBytes    = 64 << 10 // a Go crash prints some 10 KiB for each processor
	lastWordsMax = 300      // bytes of a line in a message
)

// openLog opens a job's log for another attempt and heads it.
func openLog(path string, number int) (*os.File, error) {
	if info, err := os.Stat(path); err == nil && info.Size() > logBytesMax {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, err
		}
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	if _, err := fmt.Fprintf(f, "%s%d\n", attemptHeading, number); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// attemptHeading begins the line before each attempt's output.
const attemptHeading = "=== attempt "

// lastWords returns the line at the end of a log that says why the worker ended: where a
// crash of Go's begins, or else the last line. "" if there is none.
func lastWords(path string) string {
	last, crash := "", ""
	for line := range strings.Lines(tail(path)) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, attemptHeading):
			last, crash = "", ""
		case crash == "" && crashForm.MatchString(line):
			crash = line
		case line != "":
			last = line
		}
	}
	return clip(cmp.Or(crash, last))
}

// crashForm is how the Go runtime begins to say why it ends a program.
var crashForm = regexp.MustCompile(`^(panic|fatal error|SIG[A-Z]+): `)

func clip(line string) string {
	if len(line) > lastWordsMax {
		line = line[:lastWordsMax]
	}
	return strings.ToValidUTF8(line, "")
}

// tail returns the end of a file, or as much of it as can be read.
func tail(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > tailBytes {
		f.Seek(-tailBytes, io.SeekEnd)
	}
	b, _ := io.ReadAll(io.LimitReader(f, tailBytes))
	return string(b)
}
