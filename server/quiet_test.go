package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"time"
)

// One line a minute for each cause, whoever tells it; other lines always.
func TestQuietHandler(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	h := newQuietHandler(slog.NewTextHandler(&out, nil)).WithGroup("g").WithAttrs([]slog.Attr{slog.String("a", "b")})
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	say := func(after time.Duration, err error) bool {
		before := out.Len()
		rec := slog.NewRecord(at.Add(after), slog.LevelError, "m", 0)
		rec.AddAttrs(slog.Int("n", 1), slog.Any("error", err))
		if err := h.Handle(context.Background(), rec); err != nil {
			t.Fatal(err)
		}
		return out.Len() > before
	}
	full := fmt.Errorf("write: %w", syscall.ENOSPC)
	for i, c := range []struct {
		after time.Duration
		err   error
		want  bool
	}{
		{0, full, true}, {1, syscall.EDQUOT, false}, {2, syscall.EIO, true}, {3, errors.New("other"), true}, {4, errors.New("other"), true},
		{quietFor - 1, full, false}, {quietFor, full, true}, {quietFor + 1, full, false}, {2*quietFor - 1, full, false}, {2 * quietFor, full, true},
	} {
		if said := say(c.after, c.err); said != c.want {
			t.Errorf("%d: said is %v", i, said)
		}
	}
	if s := out.String(); !strings.Contains(s, "unsaid=2") || !strings.Contains(s, "g.a=b") {
		t.Error(s)
	}
}

// What is remembered of causes is bounded.
func TestCausesMax(t *testing.T) {
	t.Parallel()
	c := causes{known: map[string]*cause{}}
	for i := range causesMax + 1 {
		if _, due := c.due(fmt.Sprint(i), time.Time{}); !due {
			t.Fatalf("cause %d is not told", i)
		}
		if want := min(i+1, causesMax); i < causesMax && len(c.known) != want || len(c.known) > causesMax {
			t.Fatalf("%d causes are known after %d", len(c.known), i+1)
		}
	}
}
