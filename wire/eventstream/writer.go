package eventstream

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// Writer sends a stream of frames as an HTTP answer, each frame flushed as it is written.
//
//	w := eventstream.NewWriter(rw)
//	w.Event("chunk", payload)
//	w.Exception("throttlingException", "…")
//
// The status line goes out with the first frame (or Start): until then the caller can still
// answer an ordinary error. A Writer is for one goroutine.
type Writer struct {
	rw      http.ResponseWriter
	flush   *http.ResponseController
	started bool
	buf     []byte
}

// NewWriter returns a Writer on rw. Headers other than Content-Type are the caller's to
// set, before the first frame.
func NewWriter(rw http.ResponseWriter) *Writer {
	return &Writer{rw: rw, flush: http.NewResponseController(rw)}
}

// Started reports whether the status line has gone out: from then on an error can only be
// an exception in the stream.
func (w *Writer) Started() bool { return w.started }

// Start sends the status line and the headers. Further calls do nothing. It fails if the
// client is gone.
func (w *Writer) Start() error {
	if w.started {
		return nil
	}
	w.started = true
	w.rw.Header().Set("Content-Type", ContentType)
	w.rw.WriteHeader(http.StatusOK)
	return w.flushed()
}

// Event sends one event of the named type with v as its JSON payload. It fails if the
// client is gone or v cannot be sent.
func (w *Writer) Event(name string, v any) error {
	return w.send(Header{":event-type", name}, "event", v)
}

// Exception sends an exception, named in lower camel case as in the service's model, and a
// message. It is the last frame of a stream. It fails as Event does.
func (w *Writer) Exception(name, message string) error {
	return w.send(Header{":exception-type", name}, "exception", map[string]string{"message": message})
}

func (w *Writer) send(kind Header, messageType string, v any) error {
	payload, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", kind.Value, err)
	}
	w.buf, err = Append(w.buf[:0], Message{
		Headers: []Header{kind, {":content-type", "application/json"}, {":message-type", messageType}},
		Payload: payload,
	})
	if err != nil {
		return err
	}
	if err := w.Start(); err != nil {
		return err
	}
	if _, err := w.rw.Write(w.buf); err != nil {
		return err
	}
	return w.flushed()
}

// flushed flushes, and panics if the ResponseWriter cannot: a wrapper that hides Flush is
// our own bug, and a stream that arrives in one piece would be a silent one.
func (w *Writer) flushed() error {
	err := w.flush.Flush()
	if errors.Is(err, http.ErrNotSupported) {
		panic("eventstream: the ResponseWriter cannot flush: give the wrapper an Unwrap method")
	}
	return err
}
