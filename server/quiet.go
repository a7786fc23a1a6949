package server

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"syscall"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/internal/reserve"
	"outcrop.dev/outcrop/internal/sqlitedb"
)

const (
	// quietFor is how long a cause of trouble is not told of again: what has one cause fails in many
	// rooms, and many times a second.
	quietFor = time.Minute
	// causesMax bounds what is remembered of them.
	causesMax = 1000
)

// quietHandler is a slog.Handler that tells once a minute of each cause that many lines have in common.
type quietHandler struct {
	slog.Handler
	causes *causes
}

func newQuietHandler(h slog.Handler) slog.Handler {
	return quietHandler{h, &causes{known: map[string]*cause{}}}
}

// Handle implements slog.Handler. A line says how many before it were not told.
func (q quietHandler) Handle(ctx context.Context, rec slog.Record) error {
	name := causeOf(rec)
	if name == "" {
		return q.Handler.Handle(ctx, rec)
	}
	unsaid, due := q.causes.due(name, rec.Time)
	if !due {
		return nil
	}
	if unsaid > 0 {
		rec = rec.Clone()
		rec.AddAttrs(slog.Int("unsaid", unsaid))
	}
	return q.Handler.Handle(ctx, rec)
}

// WithAttrs implements slog.Handler.
func (q quietHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return quietHandler{q.Handler.WithAttrs(attrs), q.causes}
}

// WithGroup implements slog.Handler.
func (q quietHandler) WithGroup(name string) slog.Handler {
	return quietHandler{q.Handler.WithGroup(name), q.causes}
}

// causes are those that were told of.
type causes struct {
	mu    sync.Mutex
	known map[string]*cause
}

type cause struct {
	told   time.Time
	unsaid int
}

// due reports whether a cause is to be told of now, and how often it was not since it was.
func (c *causes) due(name string, at time.Time) (unsaid int, due bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.known[name]
	switch {
	case k == nil && len(c.known) == causesMax:
		c.known = map[string]*cause{}
	case k != nil && at.Sub(k.told) < quietFor:
		k.unsaid++
		return 0, false
	case k != nil:
		unsaid = k.unsaid
	}
	c.known[name] = &cause{told: at}
	return unsaid, true
}

// causeOf names what an error among a line's attributes comes from; "" if it is no such cause.
func causeOf(rec slog.Record) (name string) {
	rec.Attrs(func(a slog.Attr) bool {
		if err, ok := a.Value.Any().(error); ok {
			name = causeOfError(err)
		}
		return name == ""
	})
	return name
}

func causeOfError(err error) string {
	switch {
	case reserve.IsFull(err):
		return "full"
	case errors.Is(err, sqlitedb.ErrBusy):
		return "busy"
	case errors.Is(err, sqlitedb.ErrDamaged):
		return "damaged"
	case outcrop.ReasonOf(err) == outcrop.ReasonUnreadable:
		return err.Error()
	}
	for _, number := range []syscall.Errno{syscall.EIO, syscall.EROFS} {
		if errors.Is(err, number) {
			return number.Error()
		}
	}
	return ""
}
