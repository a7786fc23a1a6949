// Command s3ratchet runs the S3 conformance tests of versitygw against service/s3, in a
// process of their own, and compares the names that pass with a list: a listed name that
// fails is an error. With -write it writes the list anew.
//
// It needs the tool, in a directory outside the repository:
//
//	GOFLAGS=-mod=mod GOBIN=$HOME/bin go install github.com/versity/versitygw/cmd/versitygw@v1.8.0
//	go run ./tools/s3ratchet -versitygw $HOME/bin/versitygw
//
// With -serve ADDRESS it only serves, for tests by hand, with the keys of internal/s3test.
package main

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"

	"outcrop.dev/outcrop/internal/s3test"
)

const usualList = "service/s3/testdata/versitygw.pass"

type flags struct {
	tool, list, serve, only string
	write, verbose          bool
	limit                   time.Duration
}

func main() {
	var f flags
	flag.StringVar(&f.tool, "versitygw", "versitygw", "the `program`")
	flag.StringVar(&f.list, "list", usualList, "the `file` with the names that pass")
	flag.StringVar(&f.serve, "serve", "", "only serve, on this `address`")
	flag.StringVar(&f.only, "test", "full-flow", "the `name` of a test or group")
	flag.BoolVar(&f.write, "write", false, "write the list")
	flag.BoolVar(&f.verbose, "v", false, "show the program's output")
	flag.DurationVar(&f.limit, "limit", 20*time.Minute, "give up after this `time`")
	flag.Parse()
	if err := run(f); err != nil {
		fmt.Fprintln(os.Stderr, "s3ratchet:", err)
		os.Exit(1)
	}
}

func run(f flags) error {
	dir, err := os.MkdirTemp("", "s3ratchet")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	handler, store, err := s3test.Handler(context.Background(), dir, log)
	if err != nil {
		return err
	}
	defer store.Close()
	address := f.serve
	if address == "" {
		address = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := s3test.Server(handler)
	if f.serve != "" {
		fmt.Printf("export AWS_ENDPOINT_URL=http://%s AWS_ACCESS_KEY_ID=%s AWS_SECRET_ACCESS_KEY=%s AWS_DEFAULT_REGION=us-east-1\n",
			l.Addr(), s3test.AccessKeyID, s3test.SecretAccessKey)
		return server.Serve(l)
	}
	go server.Serve(l)
	defer server.Close()
	passed, failed, err := conform(f, "http://"+l.Addr().String())
	if err != nil {
		return err
	}
	return compare(f, passed, failed)
}

var verdict = regexp.MustCompile(`(PASS|FAIL)\s*(?:\x1b\[0m)?\s*([A-Za-z0-9_]+)`)

// conform runs the tests and returns the names on either side.
func conform(f flags, endpoint string) (passed, failed []string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), f.limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, f.tool, "test", "--allow-insecure", "-a", s3test.AccessKeyID, "-s", s3test.SecretAccessKey, "-e", endpoint, f.only)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "AWS_") })
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); ctx.Err() != nil || out.Len() == 0 {
		return nil, nil, fmt.Errorf("run %s: %w", f.tool, err)
	}
	if f.verbose {
		os.Stdout.Write(out.Bytes())
	}
	lines := bufio.NewScanner(&out)
	for lines.Scan() {
		m := verdict.FindStringSubmatch(lines.Text())
		switch {
		case m == nil:
		case m[1] == "PASS":
			passed = append(passed, m[2])
		default:
			failed = append(failed, m[2])
		}
	}
	return tidy(passed), tidy(failed), lines.Err()
}

func tidy(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

// compare is the ratchet. A name that both passed and failed, in different groups, failed.
func compare(f flags, passed, failed []string) error {
	passed = slices.DeleteFunc(passed, func(n string) bool { return slices.Contains(failed, n) })
	fmt.Printf("%d pass, %d fail\n", len(passed), len(failed))
	if f.write {
		return os.WriteFile(f.list, []byte(strings.Join(passed, "\n")+"\n"), 0o644)
	}
	b, err := os.ReadFile(f.list)
	if err != nil {
		return err
	}
	var lost, won []string
	listed := strings.Fields(string(b))
	for _, n := range listed {
		if f.only == "full-flow" && !slices.Contains(passed, n) || slices.Contains(failed, n) {
			lost = append(lost, n)
		}
	}
	for _, n := range passed {
		if !slices.Contains(listed, n) {
			won = append(won, n)
		}
	}
	if len(won) > 0 {
		fmt.Printf("%d pass that are not listed; run with -write: %s\n", len(won), strings.Join(won, " "))
	}
	if len(lost) > 0 {
		return fmt.Errorf("%d listed names do not pass: %s", len(lost), strings.Join(lost, " "))
	}
	return nil
}
