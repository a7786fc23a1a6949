package eventstream

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestWriterFlushesEachFrame(t *testing.T) {
	t.Parallel()
	next := make(chan bool)
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		w := NewWriter(rw)
		if w.Started() {
			t.Error("started before the first frame")
		}
		if err := w.Event("chunk", map[string]int{"n": 1}); err != nil {
			t.Error(err)
		}
		if !w.Started() {
			t.Error("not started after the first frame")
		}
		<-next // the client has read the first frame
		if err := w.Exception("throttlingException", "wait"); err != nil {
			t.Error(err)
		}
	}))
	defer srv.Close()
	resp, err := http.Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("Content-Type"); got != ContentType {
		t.Errorf("content type %q", got)
	}
	first, err := Read(resp.Body)
	if err != nil || first.Header(":message-type") != "event" || first.Header(":event-type") != "chunk" || string(first.Payload) != `{"n":1}` {
		t.Errorf("first frame %v, %v", first, err)
	}
	close(next)
	second, err := Read(resp.Body)
	if err != nil || second.Header(":message-type") != "exception" || second.Header(":exception-type") != "throttlingException" ||
		string(second.Payload) != `{"message":"wait"}` {
		t.Errorf("second frame %v, %v", second, err)
	}
	if _, err := Read(resp.Body); err != io.EOF {
		t.Errorf("after the last: %v", err)
	}
}

func TestWriterRefusesWhatCannotBeEncoded(t *testing.T) {
	t.Parallel()
	rec := httptest.NewRecorder()
	w := NewWriter(rec)
	if err := w.Event("chunk", func() {}); err == nil {
		t.Error("a func was encoded")
	}
	if w.Started() || rec.Body.Len() != 0 {
		t.Error("the answer was begun although nothing could be sent")
	}
}

func TestWriterTellsWhenTheClientIsGone(t *testing.T) {
	t.Parallel()
	gone := make(chan error, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w := NewWriter(rw)
		if err := w.Start(); err != nil {
			t.Error(err)
		}
		<-r.Context().Done()
		var err error
		for i := 0; err == nil && i < 1000; i++ { // the kernel may take some
			err = w.Event("chunk", make([]byte, 100_000))
		}
		gone <- err
	}))
	defer srv.Close()
	resp, err := http.Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if err := <-gone; err == nil {
		t.Error("no error after the client had gone")
	}
}

func TestWriterPanicsWhenItCannotFlush(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	NewWriter(struct{ http.ResponseWriter }{noWriter{}}).Start()
}

type noWriter struct{}

func (noWriter) Header() http.Header         { return http.Header{} }
func (noWriter) Write(b []byte) (int, error) { return len(b), nil }
func (noWriter) WriteHeader(int)             {}
