package launchtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"outcrop.dev/outcrop/work/attempt"
	"outcrop.dev/outcrop/work/launch"
)

// Remote is a launch.Launcher that only speaks HTTP, to an Engine. One attempt is one job of the
// engine's, oc-{installation}-{job id}-a{attempt}. Its workers still see the scratch directory on
// the server's disk.
type Remote struct {
	url          string
	o            RemoteOptions
	installation string // tells our jobs from those of other servers
}

// RemoteOptions say what a Remote starts.
type RemoteOptions struct {
	Command     []string // program and its first arguments; "--data DIR --job ID --attempt N" follow
	DataDir     string
	ScratchRoot string
	Env         []string // environment; the token is added
}

var _ launch.Launcher = (*Remote)(nil)

// NewRemote returns a launcher over the engine at url. Launchers with one data directory are of one
// installation.
func NewRemote(url string, o RemoteOptions) *Remote {
	return &Remote{url: url, o: o, installation: fmt.Sprintf("%x", sha256.Sum256([]byte(o.DataDir)))[:8]}
}

// Start implements launch.Launcher. An attempt that has ended is not started again.
func (r *Remote) Start(ctx context.Context, next launch.Launch) (handle string, err error) {
	if err := next.Check(); err != nil {
		return "", err
	}
	if err := r.endOthers(ctx, next); err != nil {
		return "", err
	}
	dir := filepath.Join(r.o.ScratchRoot, next.JobID)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	j := engineJob{
		Name: r.prefix() + next.JobID + "-a" + strconv.Itoa(next.Attempt), Dir: dir, Log: filepath.Join(dir, attempt.LogFile),
		Command: append(r.o.Command[:len(r.o.Command):len(r.o.Command)],
			"--data", r.o.DataDir, "--job", next.JobID, "--attempt", strconv.Itoa(next.Attempt)),
		Env: append(r.o.Env[:len(r.o.Env):len(r.o.Env)], attempt.TokenEnv+"="+next.Token),
	}
	if err := r.call(ctx, http.MethodPost, "/jobs", j, nil); err != nil && !errors.Is(err, errConflict) {
		return "", fmt.Errorf("start attempt %d of job %s: %w", next.Attempt, next.JobID, err)
	}
	return handlePrefix + j.Name, nil
}

// endOthers ends the attempts of a job that live, all but next.
func (r *Remote) endOthers(ctx context.Context, next launch.Launch) error {
	jobs, err := r.living(ctx)
	if err != nil {
		return err
	}
	for _, j := range jobs {
		if jobID, number := r.parse(j.Name); jobID != next.JobID || number == next.Attempt {
			continue
		}
		if err := r.Kill(ctx, handlePrefix+j.Name); err != nil {
			return fmt.Errorf("end the earlier attempt: %w", err)
		}
	}
	return nil
}

// State implements launch.Launcher.
func (r *Remote) State(ctx context.Context, handle string) (launch.State, error) {
	name, err := r.name(handle)
	if err != nil {
		return launch.State{}, err
	}
	if !strings.HasPrefix(name, r.prefix()) {
		return launch.State{Phase: launch.Gone}, nil // another installation's: its records were copied
	}
	var j engineJob
	err = r.call(ctx, http.MethodGet, "/jobs/"+name, nil, &j)
	if errors.Is(err, errNotFound) {
		return launch.State{Phase: launch.Gone}, nil
	}
	if err != nil {
		return launch.State{}, fmt.Errorf("state of %s: %w", name, err)
	}
	return j.state(), nil
}

// state is what the engine says, in our words.
func (j engineJob) state() launch.State {
	s := launch.State{Phase: launch.Ended, Code: j.Code, Detail: j.Message}
	switch {
	case j.Status == statusPending:
		return launch.State{Phase: launch.Waiting, Why: j.Message}
	case j.Status == statusRunning:
		return launch.State{Phase: launch.Running, Node: j.Node}
	case j.Status == statusStopped, j.Code == -int(syscall.SIGKILL), j.Code == -int(syscall.SIGTERM):
		s.Code, s.Killed = attempt.ExitTemporary, true
	case j.Code < 0:
		s.Code = attempt.ExitSoftware // a fault of its own
	case j.Code == noProgram:
		s.Code = attempt.ExitConfig
	}
	return s
}

// How long and how often Kill looks whether the engine says that the job is over.
const (
	killPatience = 10 * time.Second
	killPoll     = 5 * time.Millisecond
)

// Kill implements launch.Launcher.
func (r *Remote) Kill(ctx context.Context, handle string) error {
	name, err := r.name(handle)
	if err != nil || !strings.HasPrefix(name, r.prefix()) {
		return err
	}
	err = r.call(ctx, http.MethodPost, "/jobs/"+name+"/stop", nil, nil)
	if err != nil && !errors.Is(err, errNotFound) {
		return fmt.Errorf("kill %s: %w", name, err)
	}
	ctx, cancel := context.WithTimeout(ctx, killPatience)
	defer cancel()
	for tick := time.NewTicker(killPoll); ; {
		s, err := r.State(ctx, handle)
		if err != nil || s.Over() {
			tick.Stop()
			return err
		}
		<-tick.C
	}
}

// List implements launch.Launcher.
func (r *Remote) List(ctx context.Context) ([]string, error) {
	jobs, err := r.living(ctx)
	if err != nil {
		return nil, err
	}
	var handles []string
	for _, j := range jobs {
		handles = append(handles, handlePrefix+j.Name)
	}
	return handles, nil
}

// living returns the jobs of this installation that have not ended.
func (r *Remote) living(ctx context.Context) ([]engineJob, error) {
	var all, found []engineJob
	if err := r.call(ctx, http.MethodGet, "/jobs?prefix="+url.QueryEscape(r.prefix()), nil, &all); err != nil {
		return nil, err
	}
	for _, j := range all {
		if j.lives() {
			found = append(found, j)
		}
	}
	return found, nil
}

// handlePrefix and a job's name make up a handle.
const handlePrefix = "remote:"

func (r *Remote) prefix() string { return "oc-" + r.installation + "-" }

var nameForm = regexp.MustCompile(`^oc-[0-9a-f]{8}-([a-zA-Z0-9-]+)-a([0-9]+)$`)

// name returns the name that a handle has.
func (r *Remote) name(handle string) (string, error) {
	name, ok := strings.CutPrefix(handle, handlePrefix)
	if !ok || !nameForm.MatchString(name) {
		return "", fmt.Errorf("%q is not a handle of this launcher", handle)
	}
	return name, nil
}

// parse takes a job's name apart.
func (r *Remote) parse(name string) (jobID string, number int) {
	if m := nameForm.FindStringSubmatch(name); m != nil {
		jobID = m[1]
		number, _ = strconv.Atoi(m[2])
	}
	return jobID, number
}

// Answers of the engine that are no failures.
var (
	errNotFound = errors.New("the engine knows no such job")
	errConflict = errors.New("the engine has a job of this name")
)

// call asks the engine; in and out are JSON, or nil.
func (r *Remote) call(ctx context.Context, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, r.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return errNotFound
	case http.StatusConflict:
		return errConflict
	default:
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
		return fmt.Errorf("the engine answers %s: %s", resp.Status, text)
	}
	if out == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(out)
}
