// Package meter writes down what is used: tokens and invocations as they happen, hours of
// provisioned throughput from when it was created and deleted. It adds events up by the
// hour, keeps the sums in a database of its own, and shows what a monitoring system wants
// to see under /metrics. It knows neither what things cost nor who asks.
//
//	m, err := meter.Open(ctx, filepath.Join(dir, "usage.db"), nil, log)
//	m.Record(ctx, outcrop.Usage{…})      // never waits for the disk
//	totals, err := m.Totals(ctx, meter.Filter{From: yesterday})
package meter

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/internal/durable"
	"outcrop.dev/outcrop/internal/reserve"
	"outcrop.dev/outcrop/internal/sqlitedb"
)

//go:embed migrations/*.sql
var migrations embed.FS

// The pace and the limits of writing.
const (
	// flushEvery is how long an event waits at most; a crash loses no more than that. Each
	// flush is one transaction, whatever the number of events.
	flushEvery = 250 * time.Millisecond
	// queueMax is how many events may wait: some seconds' worth of a server at its limit.
	// What comes on top is dropped and counted.
	queueMax = 1 << 16
	// pendingMax bounds the sums that wait for a database that fails.
	pendingMax = 10_000
)

// Meter is an outcrop.Meter on SQLite. It is safe for concurrent use.
type Meter struct {
	db      *sqlitedb.DB
	log     *slog.Logger
	queue   chan outcrop.Usage
	closing chan struct{}
	done    chan struct{}
	close   sync.Once
	flushes chan chan struct{} // Flush's requests
	dropped atomic.Int64
	*metrics
}

var _ outcrop.Meter = (*Meter)(nil)

// Open opens the database at path, creating it if need be; room, which keeps it from writing on a full
// disk, and log may be nil. One that cannot be read is put aside, and another begun: nobody's work
// depends on it. Errors: those of the file system, sqlitedb.ErrNewerSchema, sqlitedb.ErrBusy, and that
// of a full disk.
func Open(ctx context.Context, path string, room *reserve.Reserve, log *slog.Logger) (*Meter, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	db, err := sqlitedb.Open(ctx, path, migrations)
	if isDamaged(ctx, err) {
		aside, moved := putAside(path)
		if moved != nil {
			return nil, errors.Join(err, moved)
		}
		log.Error("usage begins anew: what was counted before cannot be read, and is kept aside", "is", aside, "error", err)
		db, err = sqlitedb.Open(ctx, path, migrations)
	}
	if err != nil {
		return nil, err
	}
	if room != nil {
		db.Room = room
	}
	m := &Meter{
		db: db, log: log, queue: make(chan outcrop.Usage, queueMax), closing: make(chan struct{}), done: make(chan struct{}),
		flushes: make(chan chan struct{}),
	}
	m.metrics = newMetrics(func() float64 { return float64(m.dropped.Load()) })
	go m.write()
	return m, nil
}

// isDamaged reports whether err, of opening, is no reason but the file itself.
func isDamaged(ctx context.Context, err error) bool {
	return err != nil && ctx.Err() == nil && !errors.Is(err, sqlitedb.ErrNewerSchema) && !errors.Is(err, sqlitedb.ErrBusy) && !reserve.IsFull(err)
}

// putAside renames a database, with its log, to the first name that is free.
func putAside(path string) (aside string, err error) {
	for n := 1; ; n++ {
		aside = fmt.Sprintf("%s.damaged-%d", path, n)
		if _, err := os.Lstat(aside); err != nil {
			break
		}
	}
	for _, suffix := range []string{"-wal", "-shm", ""} {
		if err := os.Rename(path+suffix, aside+suffix); err != nil && (suffix == "" || !errors.Is(err, fs.ErrNotExist)) {
			return "", err
		}
	}
	return aside, durable.SyncDir(filepath.Dir(path))
}

// Record implements outcrop.Meter. The event is on disk flushEvery later.
func (m *Meter) Record(_ context.Context, u outcrop.Usage) {
	m.observe(u)
	select {
	case m.queue <- u:
	default:
		if m.dropped.Add(1) == 1 {
			m.log.Error("usage is dropped: the disk does not keep up", "queue", queueMax)
		}
	}
}

// Flush waits until what was recorded before is on disk, or cannot be written.
func (m *Meter) Flush(ctx context.Context) error {
	reply := make(chan struct{})
	select {
	case m.flushes <- reply:
	case <-m.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-reply:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close writes what waits and closes the database. Nothing may be recorded afterwards.
func (m *Meter) Close() error {
	m.close.Do(func() { close(m.closing) })
	<-m.done
	return m.db.Close()
}

// write collects events and writes their sums until the meter is closed.
func (m *Meter) write() {
	defer close(m.done)
	pending := sums{}
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case u := <-m.queue:
			pending.add(u)
			continue
		case <-tick.C:
			m.flush(pending)
		case reply := <-m.flushes:
			m.drain(pending)
			m.flush(pending)
			close(reply)
		case <-m.closing:
			m.drain(pending)
			m.flush(pending)
			if len(pending) > 0 {
				m.log.Error("usage is lost: the database could not be written", "sums", len(pending))
			}
			return
		}
	}
}

// drain takes what waits in the queue.
func (m *Meter) drain(pending sums) {
	for {
		select {
		case u := <-m.queue:
			pending.add(u)
		default:
			return
		}
	}
}

// flush writes the sums and clears them; those that could not be written wait for the next
// time.
func (m *Meter) flush(pending sums) {
	if len(pending) == 0 {
		return
	}
	if err := m.insert(pending); err != nil {
		m.log.Error("write usage", "sums", len(pending), "error", err)
		if len(pending) > pendingMax {
			m.dropped.Add(int64(len(pending)))
			clear(pending)
		}
		return
	}
	clear(pending)
}

// What becomes of a sum that the database has already.
const (
	addUp = `DO UPDATE SET events = events + excluded.events,
		input_tokens = input_tokens + excluded.input_tokens, output_tokens = output_tokens + excluded.output_tokens,
		training_tokens = training_tokens + excluded.training_tokens, latency_ns = latency_ns + excluded.latency_ns`
	keep = `DO NOTHING`
)

func (m *Meter) insert(pending sums) error {
	return m.db.Update(context.Background(), func(tx *sql.Tx) error {
		for k, s := range pending {
			conflict := addUp
			if s.once {
				conflict = keep
			}
			_, err := tx.Exec(`INSERT INTO usage (hour, account, region, resource, operation, events, input_tokens, output_tokens, training_tokens, latency_ns)
				VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (resource, operation, hour) `+conflict,
				k.hour, k.scope.Account, k.scope.Region, string(k.resource), k.operation,
				s.events, s.input, s.output, s.training, int64(s.latency))
			if err != nil {
				return fmt.Errorf("usage of %s: %w", k.resource, err)
			}
		}
		return nil
	})
}

// sums are events added up by the hour.
type sums map[sumKey]*sum

type sumKey struct {
	hour      int64
	scope     outcrop.Scope
	resource  outcrop.ARN
	operation string
}

type sum struct {
	events, input, output, training int64
	latency                         time.Duration
	once                            bool // of one event that is not counted again
}

const hourSeconds = 3600

func (s sums) add(u outcrop.Usage) {
	at := u.At.Unix()
	k := sumKey{hour: at - at%hourSeconds, scope: u.Scope, resource: u.Resource, operation: u.Operation}
	if s[k] == nil {
		s[k] = &sum{once: u.Once}
	} else if u.Once {
		return
	}
	t := s[k]
	t.events++
	t.input += u.InputTokens
	t.output += u.OutputTokens
	t.training += u.TrainingTokens
	t.latency += u.Latency
}
