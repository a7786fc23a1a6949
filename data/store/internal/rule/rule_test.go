package rule

import (
	"testing"
	"time"

	"outcrop.dev/outcrop"
)

func FuzzDecodeNext(f *testing.F) {
	q := outcrop.Query{Kind: outcrop.KindJob, NameContains: "x"}
	f.Add(EncodeNext(q, Cursor{Created: -1, ARN: "arn:a"}))
	f.Add("")
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, s string) {
		q.Next = s
		c, err := DecodeNext(q)
		if err == nil && EncodeNext(q, c) != s {
			t.Errorf("accepted %q, which is not what it means", s)
		}
	})
}

func TestTimes(t *testing.T) {
	t.Parallel()
	for _, want := range []time.Time{{}, time.Unix(0, 1).UTC(), time.Date(2199, 12, 31, 0, 0, 0, 999, time.UTC)} {
		if got := Time(Nanos(want)); got != want {
			t.Errorf("Time(Nanos(%v)) = %v", want, got)
		}
	}
}
