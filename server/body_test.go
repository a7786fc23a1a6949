package server

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// deadlines remembers what deadlines were set.
type deadlines struct {
	http.ResponseWriter
	read, write time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error  { d.read = t; return nil }
func (d *deadlines) SetWriteDeadline(t time.Time) error { d.write = t; return nil }
func (d *deadlines) Write(p []byte) (int, error)        { return len(p), nil }

// A stranger's body has bodyGrace, a second more for each 64 KiB that have come, and never more than
// its total. When it is known who sends it, it has all the time.
func TestPacedBody(t *testing.T) {
	t.Parallel()
	w := &deadlines{}
	start := time.Now()
	b := &pacedBody{
		ReadCloser: io.NopCloser(strings.NewReader(strings.Repeat("x", 100*bodyRate))),
		control:    http.NewResponseController(w), start: start, total: bodyTimeout,
	}
	piece := make([]byte, bodyRate)
	for i := range 3 {
		if _, err := b.Read(piece); err != nil {
			t.Fatal(err)
		}
		if got, want := w.read.Sub(start), bodyGrace+time.Duration(i)*time.Second; got != want {
			t.Errorf("after %d pieces the next has %v, want %v", i, got, want)
		}
	}
	b.read = int64((bodyTimeout - bodyGrace) / time.Second * bodyRate)
	for _, more := range []int64{0, 10 * bodyRate} {
		b.read += more
		b.pace()
		if got := w.read.Sub(start); got != bodyTimeout {
			t.Errorf("a long body has %v, want %v", got, bodyTimeout)
		}
	}
	b.recognized()
	if _, err := b.Read(piece); err != nil || !w.read.IsZero() {
		t.Errorf("known, and yet there is a deadline: %v, %v", w.read, err)
	}
}

// A small answer, and one byte more, have their own time to be taken.
func TestSmallAnswerMax(t *testing.T) {
	t.Parallel()
	const small, anyOther = time.Hour, 10 * time.Hour
	for n, want := range map[int]time.Duration{1: small, smallAnswerMax: small, smallAnswerMax + 1: anyOther} {
		w := &deadlines{}
		before := time.Now()
		h := cutStalled(patience{any: anyOther, small: small})(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(make([]byte, n))
		}))
		h.ServeHTTP(w, &http.Request{ProtoMajor: 2})
		if got := w.write.Sub(before).Round(time.Minute); got != want {
			t.Errorf("the last flush of %d bytes has %v, want %v", n, got, want)
		}
		if got := w.read.Sub(before).Round(time.Second); got != refusedBodyTimeout {
			t.Errorf("what is left of the body has %v, want %v", got, refusedBodyTimeout)
		}
	}
}
