package server

import (
	"io"
	"net/http"
	"time"
)

// pacedBody gives the body of a stranger no more time than it needs at the least rate.
type pacedBody struct {
	io.ReadCloser
	control *http.ResponseController
	start   time.Time
	total   time.Duration // for all of it
	read    int64
	until   time.Time // the deadline that is set
	known   bool      // who sends it: it takes as long as it takes
}

// paceStep is by how much a deadline must move to be set again: in HTTP/2 it is a message.
const paceStep = time.Second

func (b *pacedBody) Read(p []byte) (int, error) {
	if !b.known {
		b.pace()
	}
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	return n, err
}

func (b *pacedBody) pace() {
	until := b.start.Add(min(b.total, bodyGrace+time.Duration(b.read)*time.Second/bodyRate))
	if until.Sub(b.until) < paceStep {
		return
	}
	b.until = until
	_ = b.control.SetReadDeadline(until) // where there are none, total is all there is
}

// recognized ends the pacing.
func (b *pacedBody) recognized() {
	b.known = true
	_ = b.control.SetReadDeadline(time.Time{})
}
