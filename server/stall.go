package server

import (
	"net/http"
	"time"
)

// patience is how long clients may take nothing of an answer, and of one that is small.
type patience struct{ any, small time.Duration }

// cutStalled gives every write to the client so much time; then the write fails, and the context of
// the request ends. What takes long to compute is not cut off. The time for the last write, which
// net/http does when the handler has returned, goes on.
func cutStalled(p patience) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			sw := &stallWriter{ResponseWriter: w, control: http.NewResponseController(w), patience: p}
			if r.ProtoMajor == 1 {
				_ = sw.control.SetWriteDeadline(time.Time{}) // of the answer before, on the same connection
			}
			next.ServeHTTP(sw, r)
			sw.limit()
			// What is left of a body: net/http reads some of it, and would wait for it.
			_ = sw.control.SetReadDeadline(time.Now().Add(refusedBodyTimeout))
		})
	}
}

// stallWriter sets a deadline for each write, and takes it back afterwards: that of a stream of
// HTTP/2 passes also while nothing is written. Where there are no deadlines it does without.
type stallWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	patience
	written int64
}

func (w *stallWriter) Write(p []byte) (int, error) {
	w.written += int64(len(p))
	defer w.limit()()
	return w.ResponseWriter.Write(p)
}

// FlushError is what http.ResponseController looks for.
func (w *stallWriter) FlushError() error {
	defer w.limit()()
	return w.control.Flush()
}

func (w *stallWriter) limit() (lift func()) {
	timeout := w.any
	if w.written <= smallAnswerMax {
		timeout = w.small
	}
	_ = w.control.SetWriteDeadline(time.Now().Add(timeout))
	return func() { _ = w.control.SetWriteDeadline(time.Time{}) }
}

// Unwrap lets http.ResponseController find the rest.
func (w *stallWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
