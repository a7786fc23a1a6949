package cli

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"outcrop.dev/outcrop/internal/tinymodel"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"outcrop": func() { os.Exit(Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
	})
}

// The scripts run the whole program, each in a directory of its own which is also its home.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("AWS_EC2_METADATA_DISABLED", "true")
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": exits, "ready": ready, "endpoint": endpoint, "hub": startHub, "tinymodel": tinyModel, "interrupted": interrupted,
		},
	})
}

// exits runs a program and wants an exit code: exits CODE PROGRAM ARGS…
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARGS...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var status *exec.ExitError
	if errors.As(err, &status) {
		got = status.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("%s: exit code %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// readyTimeout bounds the time until a server is ready, on a machine busy with other tests.
const readyTimeout = time.Minute

// ready waits until the server of a data directory is ready: ready DIR
func ready(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: ready DIR")
	}
	dir := ts.MkAbs(args[0])
	err := errors.New("not tried")
	for began := time.Now(); time.Since(began) < readyTimeout && err != nil; time.Sleep(10 * time.Millisecond) {
		err = askReady(dir)
	}
	ts.Check(err)
}

func askReady(dir string) error {
	info, err := readServerInfo(dir)
	if err != nil {
		return err
	}
	r, err := http.Get(info.URL + "/readyz")
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return fmt.Errorf("%s/readyz answers %s", info.URL, r.Status)
	}
	return nil
}

// endpoint sets AWS_ENDPOINT_URL to that of a data directory's server: endpoint DIR
func endpoint(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: endpoint DIR")
	}
	info, err := readServerInfo(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Setenv("AWS_ENDPOINT_URL", info.URL)
}

// tinyModel writes a tiny model: tinymodel DIR
func tinyModel(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: tinymodel DIR")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.Mkdir(dir, 0o755))
	ts.Check(tinymodel.Write(dir))
}
