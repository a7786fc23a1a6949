package attempt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/internal/pause"
)

// Options are a client's.
type Options struct {
	DataDir string // the server's data directory, where server.json tells its address
	Token   string // outcrop.Launch.Token

	// Patience is how long a call waits for a server that does not answer; 0 is
	// DefaultPatience.
	Patience time.Duration
	// AbsenceMax is how long training goes on without a server before the worker is told
	// to write a checkpoint and end; 0 is DefaultAbsenceMax.
	AbsenceMax time.Duration
	Log        *slog.Logger // nil discards
	Stderr     io.Writer    // where CommandStacks prints, as a crash would; nil discards
}

// Defaults of Options.
const (
	DefaultPatience   = 5 * time.Minute
	DefaultAbsenceMax = 15 * time.Minute // nothing is lost by ending: the checkpoint is there
)

// beatTimeout is when a heartbeat is given up; the next one says more.
const beatTimeout = 10 * time.Second

// Client is a worker's end of the contract. It is safe for concurrent use.
type Client struct {
	link    *link
	options Options
	spec    Spec
	beatNow pause.Bell // rung when a heartbeat should not wait for its turn
	uploads *uploads
	done    atomic.Int64
	hunger  hunger // beat's

	mu      sync.Mutex
	newest  Heartbeat
	command string
	base    string // digest of the model that the work goes on; "" before it is known
}

// Connect asks the server what to do. ErrFenced if another attempt does it;
// CodeServiceUnavailable if no server answers.
func Connect(ctx context.Context, o Options) (*Client, error) {
	if o.Patience == 0 {
		o.Patience = DefaultPatience
	}
	if o.AbsenceMax == 0 {
		o.AbsenceMax = DefaultAbsenceMax
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Stderr == nil {
		o.Stderr = io.Discard
	}
	c := &Client{
		link: newLink(o.DataDir, o.Token), options: o, beatNow: pause.NewBell(),
		newest: Heartbeat{Phase: PhaseValidation}, command: CommandRun,
		hunger: hunger{tasks: "/proc/self/task"},
	}
	c.Alive()
	c.uploads = newUploads(c)
	err := c.link.call(ctx, o.Patience, request{method: "GET", path: "spec"}, readBody(&c.spec))
	if err != nil {
		return nil, err
	}
	if !filepath.IsAbs(c.spec.ScratchDir) || c.spec.Heartbeat <= 0 {
		return nil, fmt.Errorf("the server's spec has scratch directory %q and heartbeat %v", c.spec.ScratchDir, c.spec.Heartbeat)
	}
	return c, c.prepareScratch()
}

// Spec returns what to do.
func (c *Client) Spec() Spec { return c.spec }

// Report notes how far the work is and returns the server's newest command. It never waits:
// a goroutine of Start sends the newest report a few times a second at most. CommandStop
// and CommandPreempt stay; CommandCheckpoint is returned once.
func (c *Client) Report(phase string, p outcrop.Progress) (command string) {
	c.Alive()
	c.mu.Lock()
	defer c.mu.Unlock()
	if phase != c.newest.Phase {
		c.beatNow.Ring()
	}
	c.newest = Heartbeat{Phase: phase, Progress: finite(p)}
	command = c.command
	if command == CommandCheckpoint {
		c.command = CommandRun
	}
	return command
}

// Start sends heartbeats and what PutLater is given until stop is called. The context that it returns ends
// with the cause ErrFenced when another attempt has taken over, ErrBaseReplaced when the base model
// has, and with another cause when the data directory is gone.
func (c *Client) Start(ctx context.Context) (working context.Context, stop func()) {
	working, cancel := context.WithCancelCause(ctx)
	background, end := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() { c.beat(background, cancel) })
	running.Go(func() { c.uploads.run(background) })
	return working, func() {
		end()
		running.Wait()
		cancel(nil)
	}
}

// beat sends heartbeats until ctx ends, and calls giveUp when there is nothing left to
// work for.
func (c *Client) beat(ctx context.Context, giveUp context.CancelCauseFunc) {
	absence := time.Duration(0)
	for {
		err := c.beatOnce(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			absence = 0
		case errors.Is(err, ErrFenced):
			giveUp(ErrFenced)
			return
		case errors.Is(err, ErrBaseReplaced):
			giveUp(ErrBaseReplaced) // and goes on: until the work has ended, it lives
		case !c.link.dataDirExists():
			giveUp(fmt.Errorf("the data directory %s is gone", c.options.DataDir))
			return
		default:
			c.options.Log.Warn("heartbeat", "error", err)
			absence += c.spec.Heartbeat
		}
		if absence >= c.options.AbsenceMax {
			c.setCommand(CommandPreempt)
		}
		if !c.nextBeat(ctx) {
			return
		}
	}
}

// nextBeat waits for the next heartbeat's time, or until it is asked for. A new phase is
// told at once; backoffMin keeps that from becoming a flood.
func (c *Client) nextBeat(ctx context.Context) bool {
	return pause.For(ctx, min(backoffMin, c.spec.Heartbeat), nil) == nil &&
		pause.For(ctx, max(0, c.spec.Heartbeat-backoffMin), c.beatNow) == nil
}

func (c *Client) beatOnce(ctx context.Context) error {
	c.mu.Lock()
	newest := c.newest
	c.mu.Unlock()
	newest.Pulse = c.pulse()
	req, err := jsonRequest("POST", "heartbeat", newest)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, beatTimeout)
	defer cancel()
	var answer Reply
	if err := c.link.once(ctx, req, readBody(&answer)); err != nil {
		return err
	}
	if answer.Command == CommandStacks {
		c.printStacks()
		return nil
	}
	c.setCommand(answer.Command)
	return c.checkBase(answer.Base)
}

// UseBase says which base model the work goes on, by its digest: if the server comes to have another
// one, the attempt ends with ErrBaseReplaced.
func (c *Client) UseBase(digest string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.base = digest
}

func (c *Client) checkBase(is string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if is != "" && c.base != "" && is != c.base {
		return ErrBaseReplaced
	}
	return nil
}

// setCommand takes a command over. Once told to end, a worker ends.
func (c *Client) setCommand(command string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.command == CommandStop || c.command == CommandPreempt && command != CommandStop {
		return
	}
	if c.command == CommandCheckpoint && command == CommandRun {
		return // it has not been seen yet
	}
	c.command = command
}

// Finish ends the attempt: err is how the work ended, nil for a model that is complete in
// ModelDir of the scratch directory, which Finish seals. The result is on disk before it
// is sent: where no server comes in time, the next attempt's Redeliver sends it. Finish returns the
// exit code for the process. It waits for a server even when ctx has ended, but then only briefly.
func (c *Client) Finish(ctx context.Context, p outcrop.Progress, err error) (exitCode int) {
	if cause := context.Cause(ctx); cause != nil && err != nil {
		err = cause // says more than "context canceled"
	}
	if errors.Is(err, ErrFenced) {
		return ExitFenced // the scratch directory is another attempt's
	}
	return c.deliver(ctx, c.conclude(p, err))
}

// conclude makes the result, with the seals of the model and of its checkpoints if there is one.
func (c *Client) conclude(p outcrop.Progress, err error) Result {
	digest := ""
	c.Alive()
	if err == nil {
		digest, err = Seal(filepath.Join(c.spec.ScratchDir, ModelDir))
	}
	p.Checkpoints = slices.Clone(p.Checkpoints)
	for i := range p.Checkpoints {
		c.Alive()
		if check := &p.Checkpoints[i]; err == nil {
			check.Manifest, err = Seal(filepath.Join(c.spec.ScratchDir, EpochDir(check.Epoch)))
		}
	}
	r := ResultOf(c.spec.Attempt, p, err)
	r.Manifest = digest
	return r
}

func (c *Client) post(ctx context.Context, patience time.Duration, r Result) error {
	req, err := jsonRequest("POST", "result", r)
	if err != nil {
		return err
	}
	return c.link.call(ctx, patience, req, nil)
}
