// Command vulncheck runs govulncheck over the program against a database made from the Go module
// golang.org/x/vulndb, so that a machine needs nothing but a module proxy.
//
//	go run ./tools/vulncheck
//
// A vulnerability that the program calls in a module fails; one in the standard library is mended by a
// newer Go and not by a change here, so it is told and fails with -strict alone. Without a proxy it says
// loudly that nothing was looked at.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// govulncheck is pinned; the database is the newest.
const (
	govulncheck = "golang.org/x/vuln/cmd/govulncheck@v1.9.0"
	database    = "golang.org/x/vulndb@latest"
	program     = "./cmd/outcrop"
	stdlib      = "stdlib"
)

func main() {
	strict := flag.Bool("strict", false, "fail for the standard library, too")
	flag.Parse()
	if err := run(*strict); err != nil {
		fmt.Fprintln(os.Stderr, "vulncheck:", err)
		os.Exit(1)
	}
}

func run(strict bool) error {
	dir, version, err := download()
	if err != nil {
		fmt.Printf("SKIPPED, NOTHING WAS LOOKED AT: %s cannot be had: %v\n", database, err)
		return nil
	}
	cmd := exec.Command("go", "run", govulncheck, "-db", "file://"+filepath.Join(dir, "data", "osv"), "-format", "json", program)
	cmd.Stderr = os.Stderr
	cmd.Env = append(os.Environ(), "GOFLAGS=") // the tool is of another module
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s: %w", govulncheck, err)
	}
	found, err := called(out)
	if err != nil {
		return err
	}
	fmt.Printf("%s of the Go vulnerability database, %s\n", version, runtime.Version())
	return report(found, strict)
}

// download fetches the database as a module, outside of this one.
func download() (dir, version string, err error) {
	cmd := exec.Command("go", "mod", "download", "-json", database)
	cmd.Dir, cmd.Env = os.TempDir(), append(os.Environ(), "GOFLAGS=")
	out, err := cmd.Output()
	var m struct{ Dir, Version, Error string }
	if jsonErr := json.Unmarshal(out, &m); err == nil {
		err = jsonErr
	}
	if m.Error != "" {
		err = errors.New(m.Error)
	}
	return m.Dir, m.Version, err
}

// vulnerability is one that the program calls.
type vulnerability struct{ ID, Module, Fixed, Summary string }

// called reads govulncheck's messages. Only a finding with a function in its first frame is called.
func called(messages []byte) (map[string]vulnerability, error) {
	found, summaries := map[string]vulnerability{}, map[string]string{}
	for d := json.NewDecoder(bytes.NewReader(messages)); ; {
		var m struct {
			OSV     *struct{ ID, Summary string }
			Finding *struct {
				OSV          string
				FixedVersion string `json:"fixed_version"`
				Trace        []struct{ Module, Function string }
			}
		}
		err := d.Decode(&m)
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read what govulncheck says: %w", err)
		}
		if m.OSV != nil {
			summaries[m.OSV.ID] = m.OSV.Summary
		}
		if f := m.Finding; f != nil && len(f.Trace) > 0 && f.Trace[0].Function != "" {
			found[f.OSV] = vulnerability{f.OSV, f.Trace[0].Module, f.FixedVersion, ""}
		}
	}
	for id, v := range found {
		v.Summary = summaries[id]
		found[id] = v
	}
	return found, nil
}

// report prints what was found. The error says how many of them fail.
func report(found map[string]vulnerability, strict bool) error {
	fails := 0
	for _, id := range slices.Sorted(maps.Keys(found)) {
		v := found[id]
		if v.Module != stdlib || strict {
			fails++
		}
		fmt.Printf("%s in %s, mended in %s: %s\n", v.ID, v.Module, strings.TrimPrefix(v.Fixed, "v"), v.Summary)
	}
	if fails > 0 {
		return fmt.Errorf("%d vulnerabilities", fails)
	}
	if len(found) > 0 {
		fmt.Println("BUILD WITH A NEWER GO: these are of the standard library.")
	}
	return nil
}
