package server

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"outcrop.dev/outcrop/internal/durable"
)

// formatFile says which form a data directory has.
const formatFile = "format.json"

// dataFormat is the form that this program makes and reads. It goes up with a change that an older
// program would not understand, or would undo; the schemas of the databases have numbers of their own.
const dataFormat = 1

// format is what formatFile holds. The file of a directory from before there were numbers is missing.
type format struct {
	Format  int    `json:"format"`
	Program string `json:"program"` // that gave the directory this number
}

// errFormat is of a directory that this program must not touch.
var errFormat = errors.New("the data directory has another form")

// checkFormat returns the form of a data directory, zero if it has no number. It is errFormat that a
// newer program has written it, or that nobody knows.
func checkFormat(dir, program string) (f format, err error) {
	path := filepath.Join(dir, formatFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return f, err
	}
	if err := json.Unmarshal(b, &f); err != nil || f.Format < 1 {
		return f, fmt.Errorf("%w: %s does not say which: put the file back from a backup, or delete it if no newer program than this one was ever used here", errFormat, path)
	}
	if f.Format > dataFormat {
		return f, fmt.Errorf("%w: %s was written by %s (form %d), and this is %s, which knows forms up to %d: use that program or a newer one, or restore a backup",
			errFormat, dir, cmp.Or(f.Program, "a newer program"), f.Format, program, dataFormat)
	}
	return f, nil
}

// pinFormat refuses a directory of a newer form, and gives one that has no number, or an older one,
// the number of this program: from then on no older one opens it.
func (s *Server) pinFormat() error {
	found, err := checkFormat(s.cfg.DataDir, s.cfg.Program)
	if err != nil || found.Format == dataFormat {
		return err
	}
	b, err := json.Marshal(format{dataFormat, s.cfg.Program})
	if err != nil {
		return err
	}
	if err := durable.WriteBytes(s.path(formatFile), 0o600, append(b, '\n')); err != nil {
		s.cfg.Log.Warn("the data directory gets its number at the next start", "error", err) // a full disk does not keep it from serving
	}
	return nil
}
