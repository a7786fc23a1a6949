package cli

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"outcrop.dev/outcrop"
	engine "outcrop.dev/outcrop/engine/customize"
	"outcrop.dev/outcrop/work"
	"outcrop.dev/outcrop/work/attempt"
)

// TestRunProcess: the record that an attempt works on says what its process does.
func TestRunProcess(t *testing.T) {
	t.Parallel()
	gone := errors.New("another attempt has taken over")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(gone)
	ask := func(kind outcrop.Kind) error {
		arn := outcrop.Scope{Account: "123456789012", Region: "us-east-1"}.ARN(kind, "m/abcdefghijkl")
		_, err := runProcess(ctx, idle{}, attempt.Spec{JobARN: arn, ScratchDir: t.TempDir()}, engine.Options{Now: time.Now})
		return err
	}
	if err := ask(outcrop.KindJob); !errors.Is(err, gone) {
		t.Errorf("a job: %v, want what ended its context", err)
	}
	if err := ask(outcrop.KindThroughput); err == nil || !strings.Contains(err.Error(), "no process works on a provisioned model throughput") {
		t.Errorf("throughput: %v", err)
	}
}

// idle is an attempt that is told to go on.
type idle struct{ engine.Attempt }

func (idle) Report(string, outcrop.Progress) string { return attempt.CommandRun }

// TestProcesses: both ends of a kind of work are of the same records.
func TestProcesses(t *testing.T) {
	t.Parallel()
	for _, p := range processes {
		attempts := work.NewAttempts(nil, nil, attempt.Signer{}, nil, work.ProcessOptions{ScratchRoot: t.TempDir(), Now: time.Now})
		if got := p.kind(work.Site{Attempts: attempts}).Noun(); got != p.noun {
			t.Errorf("the rules of %s are those of %s", p.noun, got)
		}
	}
}
