package attempt

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"outcrop.dev/outcrop/internal/durable"
)

// Redeliver sends the result of an earlier attempt that was done and could not say so, because its
// server stayed away: the finished work lies in the scratch directory, which outlives attempts.
// done is false when there is none, or when it is not whole any more; then it is removed, and the
// work is to be done. exitCode is for the process, as Finish's.
func (c *Client) Redeliver(ctx context.Context) (exitCode int, done bool) {
	r, found := readResult(c.spec.ScratchDir)
	if !found {
		return 0, false
	}
	if err := c.verifyDone(r); err != nil {
		c.options.Log.Warn("an earlier result is passed over", "attempt", r.Attempt, "why", err)
		if err := c.clearDone(); err != nil {
			c.options.Log.Warn("remove an earlier result", "error", err)
		}
		return 0, false
	}
	c.options.Log.Info("an earlier attempt was done", "attempt", r.Attempt)
	r.Attempt = c.spec.Attempt
	return c.deliver(ctx, r), true
}

// errNotDone is why a result of an attempt that has made nothing is of no use.
var errNotDone = errors.New("it was not done")

// verifyDone checks that what a result speaks of is all there.
func (c *Client) verifyDone(r Result) error {
	if r.ExitCode != ExitDone {
		return errNotDone
	}
	err := Verify(filepath.Join(c.spec.ScratchDir, ModelDir), r.Manifest)
	for _, check := range r.Progress.Checkpoints {
		if err == nil {
			err = Verify(filepath.Join(c.spec.ScratchDir, EpochDir(check.Epoch)), check.Manifest)
		}
	}
	return err
}

// clearDone removes a result and, if it was one of finished work, that too. The result goes last.
func (c *Client) clearDone() error {
	var err error
	if r, _ := readResult(c.spec.ScratchDir); r.ExitCode == ExitDone {
		err = errors.Join(os.RemoveAll(filepath.Join(c.spec.ScratchDir, ModelDir)), os.RemoveAll(filepath.Join(c.spec.ScratchDir, EpochsDir)))
	}
	if err != nil {
		return err
	}
	return os.Remove(filepath.Join(c.spec.ScratchDir, ResultFile))
}

// deliver makes r durable and sends it. It waits for a server even when ctx has ended, but then
// only briefly. It returns the exit code for the process.
func (c *Client) deliver(ctx context.Context, r Result) (exitCode int) {
	if err := writeResult(c.spec.ScratchDir, r); err != nil {
		c.options.Log.Error("write result", "error", err)
	}
	patience := c.options.Patience
	if ctx.Err() != nil {
		patience = backoffMax
	}
	switch err := c.post(context.WithoutCancel(ctx), patience, r); {
	case errors.Is(err, ErrFenced):
		return ExitFenced
	case err != nil:
		c.options.Log.Warn("send result", "error", err)
	}
	return r.ExitCode
}

// writeResult makes r durable in a scratch directory.
func writeResult(scratch string, r Result) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return durable.WriteBytes(filepath.Join(scratch, ResultFile), 0o600, append(b, '\n'))
}

// readResult reads the result that the last attempt has left in a scratch directory. One that
// cannot be read is none: then the work is done again.
func readResult(scratch string) (r Result, ok bool) {
	path := filepath.Join(scratch, ResultFile)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err != nil || info.Size() > bodyBytesMax {
		return Result{}, false
	}
	b, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(b, &r) != nil {
		return Result{}, false
	}
	return r, true
}
