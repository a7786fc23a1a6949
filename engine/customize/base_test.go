package customize

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/format/tokenizer"
	"outcrop.dev/outcrop/work/attempt"
)

// otherBase replaces a copy of the tiny model as an upgrade does: by other weights.
func otherBase(t *testing.T, dir string) {
	t.Helper()
	path := filepath.Join(dir, "model.safetensors")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-1] ^= 0x80 // a sign
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func copyOfTinyModel(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(tinyModel())); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestBaseReplacedBetweenAttempts: an attempt that finds another base model makes what a run
// on that one alone makes, from the first step on.
func TestBaseReplacedBetweenAttempts(t *testing.T) {
	t.Parallel()
	f, j := newFake(1), job(t, 1)
	j.ModelDir = copyOfTinyModel(t)
	f.command = func(n int) string {
		if n == 12 {
			return "preempt"
		}
		return "run"
	}
	if p, err := Run(t.Context(), f, j, options()); !errors.Is(err, ErrPreempted) || p.Step == 0 {
		t.Fatal(p, err)
	}
	otherBase(t, j.ModelDir)
	f.reports, f.command = nil, nil
	var log bytes.Buffer
	o := options()
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	if _, err := Run(t.Context(), f, j, o); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(f.reports, func(p outcrop.Progress) bool { return p.Steps > 0 && p.Step == 0 }) {
		t.Error("the second attempt did not begin at step 0")
	}
	if !bytes.Contains(log.Bytes(), []byte("the base model was replaced")) {
		t.Errorf("log %s", &log)
	}
	whole, again := newFake(1), job(t, 1)
	again.ModelDir = j.ModelDir
	if _, err := Run(t.Context(), whole, again, options()); err != nil {
		t.Fatal(err)
	}
	for uri, want := range whole.objects {
		if !bytes.Equal(f.objects[uri], want) {
			t.Errorf("%s is not that of a run on the new base model alone", uri)
		}
	}
}

// TestBaseReplacedDuringAnAttempt: no model is made of two base models.
func TestBaseReplacedDuringAnAttempt(t *testing.T) {
	t.Parallel()
	f, j := newFake(1), job(t, 1)
	j.ModelDir = copyOfTinyModel(t)
	f.command = func(n int) string {
		if n == 12 {
			otherBase(t, j.ModelDir)
		}
		return "run"
	}
	if _, err := Run(t.Context(), f, j, options()); !errors.Is(err, attempt.ErrBaseReplaced) || attempt.ExitCode(err) != attempt.ExitTemporary {
		t.Fatal(err)
	}
	f.command = nil
	if p, err := Run(t.Context(), f, j, options()); err != nil || p.Step != p.Steps {
		t.Errorf("the attempt after that: %+v, %v", p, err)
	}
}

func TestModelDigest(t *testing.T) {
	t.Parallel()
	dir := copyOfTinyModel(t)
	digest := func() string {
		d, err := modelDigest(dir, func() {})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	first := digest()
	write := func(name string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("other"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if write("README.md"); digest() != first {
		t.Error("a model card makes another model")
	}
	seen := []string{first}
	for _, name := range []string{tokenizer.File, model.ConfigFile, "model.safetensors", "model-00002-of-00002.safetensors"} {
		write(name)
		if d := digest(); slices.Contains(seen, d) {
			t.Errorf("another %s is not noticed", name)
		} else {
			seen = append(seen, d)
		}
	}
	if _, err := modelDigest(filepath.Join(dir, "missing"), func() {}); err == nil {
		t.Errorf("error %v", err)
	}
}

// TestSignsOfLife: a run that works says so between any two batches and files, and at each of them
// ends at once when its attempt does; what the next attempt makes is the same.
func TestSignsOfLife(t *testing.T) {
	t.Parallel()
	whole, j := newFake(1), job(t, 1)
	if _, err := Run(t.Context(), whole, j, options()); err != nil {
		t.Fatal(err)
	}
	if base, err := BaseDigest(j.ModelDir, ""); err != nil || whole.base != base {
		t.Errorf("it works on %q, %v, want %q", whole.base, err, base)
	}
	steps := whole.last().Steps
	if whole.lives < 2*steps {
		t.Errorf("%d signs of life in %d steps", whole.lives, steps)
	}
	f, again := newFake(1), job(t, 1)
	for at := 1; at < whole.lives; at += 11 {
		ctx, cancel := context.WithCancelCause(t.Context())
		after := 0
		f.lives, f.alive = 0, func(n int) {
			if n >= at {
				cancel(attempt.ErrBaseReplaced)
				after++
			}
		}
		if _, err := Run(ctx, f, again, options()); err != nil && !errors.Is(err, attempt.ErrBaseReplaced) {
			t.Fatal(err)
		} else if err != nil && after > 8 { // the files of a model are read to their end
			t.Errorf("%d signs of life after the end of the attempt", after)
		}
	}
	f.alive = nil
	if _, err := Run(t.Context(), f, again, options()); err != nil {
		t.Fatal(err)
	}
	for uri, want := range whole.objects {
		if !bytes.Equal(f.objects[uri], want) {
			t.Errorf("%s is not that of a run that nobody ended", uri)
		}
	}
}
