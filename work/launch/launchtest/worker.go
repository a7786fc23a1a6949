package launchtest

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"testing"

	"outcrop.dev/outcrop/work/attempt"
)

// Environment of the suite's workers.
const (
	addressEnv = "OUTCROP_LAUNCHTEST_ADDRESS" // where the suite listens
	fileEnv    = "OUTCROP_LAUNCHTEST_FILE"    // a file of the machine that the suite runs on
)

// report is what a worker says when it begins.
type report struct {
	Args     []string
	Token    string
	SeesFile bool
}

// BeWorker does not return in a process that a launcher under test has started.
func BeWorker() {
	address, isWorker := os.LookupEnv(addressEnv)
	if !isWorker {
		return
	}
	conn, err := net.Dial("tcp", address)
	if err != nil {
		os.Exit(attempt.ExitConfig)
	}
	_, err = os.Stat(os.Getenv(fileEnv))
	said := report{Args: os.Args[1:], Token: os.Getenv(attempt.TokenEnv), SeesFile: err == nil}
	if err := json.NewEncoder(conn).Encode(said); err != nil {
		os.Exit(attempt.ExitConfig)
	}
	code := attempt.ExitFenced // the test is over
	fmt.Fscanln(conn, &code)
	os.Exit(code)
}

// worker is the suite's end of a worker's connection.
type worker struct {
	report
	conn net.Conn
	gone chan struct{} // closed when the process is
}

// exit tells the worker to end.
func (w *worker) exit(code int) { fmt.Fprintln(w.conn, code) }

// workers are all those that have reported in one case.
type workers struct {
	listener net.Listener

	mu     sync.Mutex
	all    []*worker
	closed bool
}

func listen(t testing.TB) *workers {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ws := &workers{listener: l}
	go func() {
		for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
			go ws.take(conn)
		}
	}()
	return ws
}

// take hears what a worker says, and waits for its end.
func (ws *workers) take(conn net.Conn) {
	defer conn.Close()
	w := &worker{conn: conn, gone: make(chan struct{})}
	defer close(w.gone)
	if json.NewDecoder(conn).Decode(&w.report) == nil && ws.add(w) {
		io.Copy(io.Discard, conn)
	}
}

func (ws *workers) add(w *worker) bool {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.all = append(ws.all, w)
	return !ws.closed
}

// of returns the workers that have reported of an attempt.
func (ws *workers) of(jobID string, attempt int) (found []*worker) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for _, w := range ws.all {
		if hasFlag(w.Args, "--job", jobID) && hasFlag(w.Args, "--attempt", fmt.Sprint(attempt)) {
			found = append(found, w)
		}
	}
	return found
}

func (ws *workers) reported() []*worker {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	return slices.Clone(ws.all)
}

// close ends the workers that are left.
func (ws *workers) close() {
	ws.listener.Close()
	ws.mu.Lock()
	ws.closed = true
	ws.mu.Unlock()
	for _, w := range ws.reported() {
		w.exit(attempt.ExitStopped)
		<-w.gone
	}
}

func hasFlag(args []string, flag, value string) bool {
	i := slices.Index(args, flag)
	return i >= 0 && i+1 < len(args) && args[i+1] == value
}
