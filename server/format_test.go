package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// serves starts and ends a server of a program on dir.
func serves(t *testing.T, dir, program string) error {
	t.Helper()
	s, err := New(t.Context(), Config{DataDir: dir, Listen: "127.0.0.1:0", Threads: 1, Program: program})
	if err == nil {
		err = s.close()
	}
	return err
}

// A new directory, and one of yesterday, which has no number, get theirs at the first start, and keep it.
func TestFormatIsGiven(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, formatFile)
	for i := range 3 {
		if err := serves(t, dir, fmt.Sprint("outcrop ", i)); err != nil {
			t.Fatal(err)
		}
		want := format{dataFormat, []string{"outcrop 0", "outcrop 0", "outcrop 2"}[i]}
		var got format
		if b, err := os.ReadFile(path); err != nil || json.Unmarshal(b, &got) != nil || got != want {
			t.Errorf("start %d: %s, %v, want %+v", i, b, err, want)
		}
		if i == 1 {
			os.Remove(path)
		}
	}
}

// A directory of a newer program is refused by that program's name by all that would touch it, before
// anything of it has been touched; so is one whose number cannot be read.
func TestFormatIsRefused(t *testing.T) {
	t.Parallel()
	newer := fmt.Sprintf(`{"format":%d,"program":"outcrop v9.9.9"}`, dataFormat+1)
	for content, want := range map[string]string{
		newer: "written by outcrop v9.9.9 (form 2), and this is outcrop",
		"":    "does not say which", "{": "does not say which", `{"format":0}`: "does not say which", `{"format":"1"}`: "does not say which",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, formatFile), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, modelsErr := OpenModels(t.Context(), dir, time.Now)
		_, repairErr := Repair(t.Context(), dir, time.Now, nil)
		for door, err := range map[string]error{"server": serves(t, dir, "outcrop v1"), "commands": modelsErr, "repair": repairErr} {
			if !errors.Is(err, errFormat) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s of a directory with %q: %v", door, content, err)
			}
		}
		if _, err := os.Stat(filepath.Join(dir, databaseFile)); err == nil {
			t.Errorf("%q: a database was made", content)
		}
	}
}
