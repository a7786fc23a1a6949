package sqlite_test

import (
	"path/filepath"
	"testing"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/store/sqlite"
)

// BenchmarkApply measures one durable change, most of which is the disk's fsync.
func BenchmarkApply(b *testing.B) {
	s := benchStore(b)
	r := crashRecord(outcrop.KindJob, 1)
	if err := s.Apply(b.Context(), outcrop.Change{Op: outcrop.OpCreate, Record: r}); err != nil {
		b.Fatal(err)
	}
	for r.Version = 1; b.Loop(); r.Version++ {
		if err := s.Apply(b.Context(), outcrop.Change{Op: outcrop.OpUpdate, Record: r}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkGet measures what a heartbeat and most API calls do, among 10,000 records.
func BenchmarkGet(b *testing.B) {
	s := benchStore(b)
	for n := 0; n < 10_000; n += 100 {
		var batch []outcrop.Change
		for i := range 100 {
			batch = append(batch, outcrop.Change{Op: outcrop.OpCreate, Record: crashRecord(outcrop.KindJob, n+i)})
		}
		if err := s.Apply(b.Context(), batch...); err != nil {
			b.Fatal(err)
		}
	}
	key := outcrop.Key{Kind: outcrop.KindJob, Scope: crashScope, Ref: crashRecord(outcrop.KindJob, 5000).Name}
	for b.Loop() {
		if _, err := s.Get(b.Context(), key); err != nil {
			b.Fatal(err)
		}
	}
}

func benchStore(b *testing.B) *sqlite.Store {
	b.Helper()
	s, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "outcrop.db"), time.Now)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s
}
