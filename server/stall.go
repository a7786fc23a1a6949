package server

import (
	"net/http"
	"time"
)

// stallTimeout is how long a client may take nothing of an answer. One that sleeps with its
// connection open would otherwise keep its request for ever, and with it a place among those that
// a model answers at once. It is longer than a program that shows an answer to people makes a
// pause; buffers on the way hold the shorter answers anyway.
const stallTimeout = 2 * time.Minute

// cutStalled gives every write to the client that long; then the write fails, and the context of
// the request ends. What takes long to compute is not cut off.
func cutStalled(timeout time.Duration) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(&stallWriter{w, http.NewResponseController(w), timeout}, r)
		})
	}
}

// stallWriter sets a deadline for each write, and takes it back afterwards: that of a stream of
// HTTP/2 passes also while nothing is written. Where there are no deadlines it does without.
type stallWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
}

func (w *stallWriter) Write(p []byte) (int, error) {
	defer w.limit()()
	return w.ResponseWriter.Write(p)
}

// FlushError is what http.ResponseController looks for.
func (w *stallWriter) FlushError() error {
	defer w.limit()()
	return w.control.Flush()
}

func (w *stallWriter) limit() (lift func()) {
	_ = w.control.SetWriteDeadline(time.Now().Add(w.timeout))
	return func() { _ = w.control.SetWriteDeadline(time.Time{}) }
}

// Unwrap lets http.ResponseController find the rest.
func (w *stallWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
