package sqlite_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/store/sqlite"
	"outcrop.dev/outcrop/internal/trials"
)

const crashEnv = "OUTCROP_STORE_CRASH_TEST"

func TestMain(m *testing.M) {
	if path := os.Getenv(crashEnv); path != "" {
		if err := crashChild(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

var crashScope = outcrop.Scope{Account: "123456789012", Region: "us-east-1"}

func crashRecord(kind outcrop.Kind, n int) outcrop.Record {
	id := fmt.Sprintf("%012d", n)
	return outcrop.Record{
		Meta: outcrop.Meta{Kind: kind, Scope: crashScope, ID: id, Name: "n" + id, ARN: crashScope.ARN(kind, id), Status: outcrop.JobInProgress},
		Body: json.RawMessage(`{}`),
	}
}

// crashChild writes batch after batch until it is killed: a job, its model, and one more
// version of record 0. It prints a number only when its batch was acknowledged.
func crashChild(path string) error {
	ctx := context.Background()
	s, err := sqlite.Open(ctx, path, time.Now)
	if err != nil {
		return err
	}
	counter, err := s.Get(ctx, outcrop.Key{ARN: crashRecord(outcrop.KindThroughput, 0).ARN})
	if err != nil {
		return err
	}
	for n := int(counter.Version); ; n++ {
		err := s.Apply(ctx,
			outcrop.Change{Op: outcrop.OpCreate, Record: crashRecord(outcrop.KindJob, n)},
			outcrop.Change{Op: outcrop.OpUpdate, Record: counter},
			outcrop.Change{Op: outcrop.OpCreate, Record: crashRecord(outcrop.KindCustomModel, n)})
		if err != nil {
			return err
		}
		counter.Version++
		fmt.Println(n)
	}
}

// What was acknowledged before a kill -9 is there after it, and every batch is whole.
func TestKilledWhileApplying(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outcrop.db")
	s := open(t, path, time.Now)
	if err := s.Apply(t.Context(), outcrop.Change{Op: outcrop.OpCreate, Record: crashRecord(outcrop.KindThroughput, 0)}); err != nil {
		t.Fatal(err)
	}
	s.Close()
	batches := 0
	for range trials.N(10, 200) {
		acknowledged := runAndKill(t, path)
		s := open(t, path, time.Now)
		counter, err := s.Get(t.Context(), outcrop.Key{ARN: crashRecord(outcrop.KindThroughput, 0).ARN})
		if err != nil {
			t.Fatal(err)
		}
		written := int(counter.Version) - 1
		if written < acknowledged || written > acknowledged+1 {
			t.Fatalf("%d batches are there, %d were acknowledged", written, acknowledged)
		}
		counts, err := s.Counts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		jobs, models := counts[outcrop.KindJob][outcrop.JobInProgress], counts[outcrop.KindCustomModel][outcrop.JobInProgress]
		if jobs != written || models != written {
			t.Fatalf("%d jobs and %d models of %d batches", jobs, models, written)
		}
		s.Close()
		batches = written
	}
	t.Logf("%d batches of three rows, each acknowledged one there and whole", batches)
}

// runAndKill lets a child write until it has acknowledged some batches, kills it at a
// random moment after that, and returns the last number it printed.
func runAndKill(t *testing.T, path string) int {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashEnv+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	last, lines := 0, 0
	kill := 1 + rand.IntN(20)
	for in := bufio.NewScanner(out); in.Scan(); lines++ {
		fmt.Sscan(in.Text(), &last)
		if lines == kill {
			time.AfterFunc(time.Duration(rand.IntN(3000))*time.Microsecond, func() { cmd.Process.Kill() })
		}
	}
	cmd.Wait() // "signal: killed"
	if lines <= kill {
		t.Fatalf("the child ended after %d lines", lines)
	}
	return last
}
