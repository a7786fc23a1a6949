package attempt

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/internal/pause"
)

// How a worker waits for a server that is not there. The waits add up to the patience of a
// call; a restart takes a second, an upgrade some minutes.
const (
	backoffMin = 100 * time.Millisecond
	backoffMax = 2 * time.Second
)

// ServerFile names the server's address inside its data directory: {"pid":1,"url":"http://…","run":"…"}.
const ServerFile = "server.json"

const serverFileBytesMax = 64 << 10

// answerTimeout is how long a server may take to begin an answer.
const answerTimeout = time.Minute

// link calls the server wherever it is at the moment.
type link struct {
	dataDir string
	token   string
	http    *http.Client
}

func newLink(dataDir, token string) *link {
	return &link{dataDir: dataDir, token: token, http: &http.Client{
		Transport:     &http.Transport{ResponseHeaderTimeout: answerTimeout, MaxIdleConnsPerHost: 4, Proxy: nil},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// request is a call that can be made again.
type request struct {
	method, path string
	query        url.Values
	contentType  string
	size         int64                         // of the body; 0 for none
	body         func() (io.ReadSeeker, error) // nil for none
}

func jsonRequest(method, path string, v any) (request, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return request{}, fmt.Errorf("encode %s: %w", path, err)
	}
	return request{
		method: method, path: path, contentType: "application/json", size: int64(len(b)),
		body: func() (io.ReadSeeker, error) { return bytes.NewReader(b), nil },
	}, nil
}

// absent is a failure that a later try may not have: there is no server, or it is in
// trouble.
type absent struct{ err error }

func (a absent) Error() string { return a.err.Error() }
func (a absent) Unwrap() error { return a.err }

// call makes a request until it is answered, the data directory is gone, or the waits
// between the tries add up to patience; read, which may be nil, gets the answer of a 2xx. It returns what the server
// said, as an *outcrop.Error or ErrFenced, or CodeServiceUnavailable when patience ended.
func (l *link) call(ctx context.Context, patience time.Duration, req request, read func(*http.Response) error) error {
	wait := backoffMin
	for waited := time.Duration(0); ; waited += wait {
		err := l.once(ctx, req, read)
		var a absent
		if !errors.As(err, &a) {
			return err
		}
		if waited >= patience || !l.dataDirExists() {
			return &outcrop.Error{
				Code: outcrop.CodeServiceUnavailable, Op: req.path, Err: err,
				Msg: fmt.Sprintf("The server that should be named in %s did not answer for %v.", filepath.Join(l.dataDir, ServerFile), waited),
			}
		}
		wait = min(2*wait, backoffMax)
		if err := pause.For(ctx, wait, nil); err != nil {
			return err
		}
	}
}

// dataDirExists reports whether there is a directory in which a server might appear. Without
// one, nobody waits for what a worker has to say.
func (l *link) dataDirExists() bool {
	_, err := os.Stat(l.dataDir)
	return !errors.Is(err, fs.ErrNotExist)
}

func (l *link) once(ctx context.Context, req request, read func(*http.Response) error) error {
	base, run, err := l.address()
	if err != nil {
		return absent{err}
	}
	r, err := req.build(ctx, base)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+l.token)
	resp, err := l.http.Do(r)
	if ctx.Err() != nil {
		closeBody(resp)
		return context.Cause(ctx)
	}
	if err != nil {
		return absent{err}
	}
	defer closeBody(resp)
	if is := resp.Header.Get(runHeader); run != "" && is != "" && is != run {
		return absent{fmt.Errorf("the server at %s is another data directory's", base)}
	}
	if err := verdict(resp); err != nil {
		return err
	}
	if read == nil {
		return nil
	}
	return read(resp)
}

func (r *request) build(ctx context.Context, base string) (*http.Request, error) {
	var body io.Reader
	if r.body != nil {
		b, err := r.body()
		if err != nil {
			return nil, err
		}
		body = io.NopCloser(b)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, base+Root+r.path+"?"+r.query.Encode(), body)
	if err != nil {
		return nil, absent{err} // an address that is none: half of a server's file, perhaps
	}
	req.ContentLength = r.size
	if r.size == 0 {
		req.Body = http.NoBody
	}
	if r.contentType != "" {
		req.Header.Set("Content-Type", r.contentType)
	}
	return req, nil
}

// verdict turns an answer that is not 2xx into an error.
func verdict(resp *http.Response) error {
	if resp.Header.Get(marker) == "" || resp.StatusCode == http.StatusUnauthorized {
		return absent{fmt.Errorf("%s is not this worker's server (%s)", resp.Request.URL.Host, resp.Status)}
	}
	if resp.StatusCode/100 == 2 {
		return nil
	}
	if resp.StatusCode == http.StatusConflict {
		return ErrFenced
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, bodyBytesMax))
	if err != nil {
		return absent{err}
	}
	var e wireError
	if json.Unmarshal(b, &e) != nil || e.Code == "" {
		e = wireError{Code: outcrop.CodeInternal, Message: resp.Status}
	}
	said := &outcrop.Error{Code: e.Code, Reason: e.Reason, Msg: e.Message}
	if resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests {
		return absent{said}
	}
	return said
}

// address reads where the server is now, and which run of a server that is; "" of an older program's.
func (l *link) address() (base, run string, err error) {
	f, err := os.Open(filepath.Join(l.dataDir, ServerFile))
	if err != nil {
		return "", "", err
	}
	defer f.Close()
	var s struct{ URL, Run string }
	if err := json.NewDecoder(io.LimitReader(f, serverFileBytesMax)).Decode(&s); err != nil {
		return "", "", fmt.Errorf("read %s: %w", ServerFile, err)
	}
	u, err := url.Parse(s.URL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return "", "", fmt.Errorf("%s names %q, which is no address", ServerFile, s.URL)
	}
	return u.Scheme + "://" + u.Host, s.Run, nil
}

// readBody decodes a JSON answer.
func readBody(v any) func(*http.Response) error {
	return func(resp *http.Response) error {
		b, err := io.ReadAll(io.LimitReader(resp.Body, bodyBytesMax))
		if err != nil {
			return absent{err}
		}
		if err := json.Unmarshal(b, v); err != nil {
			return absent{fmt.Errorf("answer of %s: %w", resp.Request.URL.Path, err)}
		}
		return nil
	}
}

func closeBody(resp *http.Response) {
	if resp != nil {
		io.CopyN(io.Discard, resp.Body, bodyBytesMax) // so that the connection is used again
		resp.Body.Close()
	}
}

func itoa(n int64) string { return fmt.Sprint(n) }
