package launchtest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Engine stands for a cluster's: it is asked over HTTP, lets jobs wait until there is a place,
// runs each as a child of its own, and remembers how they ended as long as it lives. It never
// tries again. No process of its outlives it, or the process that it is in.
//
//	POST /jobs              submit a job; 409 if there is one of this name
//	GET  /jobs?prefix=oc-   those whose names begin so
//	GET  /jobs/{name}       one
//	POST /jobs/{name}/stop  end it; answers before it has ended
type Engine struct {
	URL string

	server  *httptest.Server
	running sync.WaitGroup

	mu     sync.Mutex
	places int
	away   bool
	jobs   []*engineJob // as they were submitted
}

// engineStatus is what the engine says of a job.
type engineStatus string

const (
	statusPending   engineStatus = "PENDING"
	statusRunning   engineStatus = "RUNNING"
	statusSucceeded engineStatus = "SUCCEEDED"
	statusFailed    engineStatus = "FAILED"
	statusStopped   engineStatus = "STOPPED" // as it was asked to
)

// noProgram is the code of a job that could not be started, as shells have it.
const noProgram = 127

// engineJob is what is submitted, and what the engine knows of it.
type engineJob struct {
	Name         string
	Command, Env []string `json:",omitempty"`
	Dir, Log     string   `json:",omitempty"`

	Status  engineStatus
	Node    string
	Message string
	Code    int // of an exit, or -signal

	process *os.Process
	stopped bool
}

// NewEngine returns an engine with a number of places. It ends, with all its processes, when the
// test does.
func NewEngine(t testing.TB, places int) *Engine {
	e := &Engine{places: places}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /jobs", e.submit)
	mux.HandleFunc("GET /jobs", e.list)
	mux.HandleFunc("GET /jobs/{name}", e.get)
	mux.HandleFunc("POST /jobs/{name}/stop", e.stop)
	e.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.away {
			http.Error(w, "the engine is away", http.StatusServiceUnavailable)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	e.URL = e.server.URL
	t.Cleanup(e.close)
	return e
}

// SetPlaces sets how many jobs may run at once. Those that run go on.
func (e *Engine) SetPlaces(n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.places = n
	e.dispatch()
}

// SetAway sets whether the engine answers nothing but 503. Its jobs go on.
func (e *Engine) SetAway(away bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.away = away
}

// Forget drops what the engine knows of jobs that have ended.
func (e *Engine) Forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	var left []*engineJob
	for _, j := range e.jobs {
		if j.lives() {
			left = append(left, j)
		}
	}
	e.jobs = left
}

// close ends the engine and its processes.
func (e *Engine) close() {
	e.server.Close()
	e.mu.Lock()
	for _, j := range e.jobs {
		e.end(j)
	}
	e.mu.Unlock()
	e.running.Wait()
}

// The handlers hold mu.

func (e *Engine) submit(w http.ResponseWriter, r *http.Request) {
	j := new(engineJob)
	if err := json.NewDecoder(r.Body).Decode(j); err != nil || j.Name == "" || len(j.Command) == 0 {
		http.Error(w, fmt.Sprintf("not a job: %v", err), http.StatusBadRequest)
		return
	}
	if e.find(j.Name) != nil {
		http.Error(w, "there is a job of this name", http.StatusConflict)
		return
	}
	j.Status = statusPending
	e.jobs = append(e.jobs, j)
	e.dispatch()
}

func (e *Engine) list(w http.ResponseWriter, r *http.Request) {
	found := []engineJob{}
	for _, j := range e.jobs {
		if strings.HasPrefix(j.Name, r.FormValue("prefix")) {
			found = append(found, j.public())
		}
	}
	json.NewEncoder(w).Encode(found)
}

func (e *Engine) get(w http.ResponseWriter, r *http.Request) {
	if j := e.find(r.PathValue("name")); j != nil {
		json.NewEncoder(w).Encode(j.public())
		return
	}
	http.NotFound(w, r)
}

func (e *Engine) stop(w http.ResponseWriter, r *http.Request) {
	if j := e.find(r.PathValue("name")); j != nil {
		e.end(j)
		return
	}
	http.NotFound(w, r)
}

func (e *Engine) find(name string) *engineJob {
	for _, j := range e.jobs {
		if j.Name == name {
			return j
		}
	}
	return nil
}

// end ends a job that lives. One that is about to begin is ended when it has.
func (e *Engine) end(j *engineJob) {
	switch {
	case j.Status == statusPending:
		j.Status, j.Message = statusStopped, "stopped while it waited"
	case j.Status == statusRunning:
		j.stopped = true
		if j.process != nil {
			j.process.Kill()
		}
	}
}

// dispatch gives the places that are free to those that wait, in their order.
func (e *Engine) dispatch() {
	taken := 0
	for _, j := range e.jobs {
		if j.Status == statusRunning {
			taken++
		}
	}
	for _, j := range e.jobs {
		if j.Status != statusPending {
			continue
		}
		if taken >= e.places {
			j.Message = fmt.Sprintf("Waiting for 1 place: %d of %d are taken", taken, e.places)
			continue
		}
		taken++
		j.Status, j.Message, j.Node = statusRunning, "", "node-1"
		e.running.Go(func() { e.run(j) })
	}
}

// run runs a job to its end. The kernel ends it with the thread that has started it (prctl(2),
// PR_SET_PDEATHSIG), and so also when the tests are ended in the middle.
func (e *Engine) run(j *engineJob) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd, err := j.start()
	if err == nil {
		e.mu.Lock()
		j.process = cmd.Process
		if j.stopped {
			j.process.Kill()
		}
		e.mu.Unlock()
		cmd.Wait() // what it says is in ProcessState
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	j.ended(cmd, err)
	e.dispatch()
}

func (j *engineJob) start() (*exec.Cmd, error) {
	log, err := os.OpenFile(cmp.Or(j.Log, os.DevNull), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(j.Command[0], j.Command[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = j.Dir, j.Env, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	return cmd, cmd.Start()
}

// ended notes how a job ended that has run, or could not be started.
func (j *engineJob) ended(cmd *exec.Cmd, err error) {
	j.process = nil
	if err != nil {
		j.Status, j.Message, j.Code = statusFailed, err.Error(), noProgram
		return
	}
	j.Message, j.Code = cmd.ProcessState.String(), cmd.ProcessState.ExitCode()
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signaled() {
		j.Code = -int(status.Signal())
	}
	switch {
	case j.Code == 0:
		j.Status = statusSucceeded
	case j.stopped:
		j.Status = statusStopped
	default:
		j.Status = statusFailed
	}
}

func (j *engineJob) lives() bool { return j.Status == statusPending || j.Status == statusRunning }

// public is what the engine tells of a job: not its token.
func (j *engineJob) public() engineJob {
	return engineJob{Name: j.Name, Status: j.Status, Node: j.Node, Message: j.Message, Code: j.Code}
}
