package hub

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const commit = "0123456789abcdef0123456789abcdef01234567"

// fake is a hub whose large files lie on another host, as the real one's do.
type fake struct {
	hub, storage *httptest.Server
	files        map[string]string
	large        map[string]bool // in large file storage
	plainList    bool            // a mirror that tells no sizes and checksums

	mu       sync.Mutex
	requests []string                                                           // HOST METHOD PATH RANGE
	tokens   map[string]string                                                  // by host
	meddle   func(n int, w http.ResponseWriter, r *http.Request) (handled bool) // n counts the requests for contents of a path
	seen     map[string]int
}

func newFake(t *testing.T) *fake {
	f := &fake{
		files: map[string]string{
			"config.json": `{"model_type":"llama"}`, "tokenizer.json": strings.Repeat("tokens ", 1000), "model.safetensors": strings.Repeat("weights!", 100_000),
			"pytorch_model.bin": "pickle", "README.md": "licence", "onnx/model.onnx": "no",
		},
		large:  map[string]bool{"model.safetensors": true},
		tokens: map[string]string{}, seen: map[string]int{},
	}
	f.hub = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.serveHub(w, r) }))
	f.storage = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.serveStorage(w, r) }))
	t.Cleanup(f.hub.Close)
	t.Cleanup(f.storage.Close)
	return f
}

// note records a request, and lets a test meddle with it.
func (f *fake) note(host string, w http.ResponseWriter, r *http.Request) (handled bool) {
	f.mu.Lock()
	f.requests = append(f.requests, strings.TrimSpace(strings.Join([]string{host, r.Method, r.URL.Path, r.Header.Get("Range")}, " ")))
	if a := r.Header.Get("Authorization"); a != "" {
		f.tokens[host] = a
	}
	f.seen[r.URL.Path]++
	n, meddle := f.seen[r.URL.Path], f.meddle
	f.mu.Unlock()
	return meddle != nil && meddle(n, w, r)
}

func (f *fake) serveHub(w http.ResponseWriter, r *http.Request) {
	if f.note("hub", w, r) {
		return
	}
	if strings.HasPrefix(r.URL.Path, "/api/models/") {
		f.list(w)
		return
	}
	name, ok := strings.CutPrefix(r.URL.Path, "/acme/small/resolve/"+commit+"/")
	content, there := f.files[name]
	if !ok || !there {
		w.Header().Set("X-Error-Code", "EntryNotFound")
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("X-Repo-Commit", commit)
	if f.large[name] {
		w.Header().Set("X-Linked-Size", fmt.Sprint(len(content)))
		w.Header().Set("X-Linked-Etag", `"`+sum(content)+`"`)
		http.Redirect(w, r, f.storage.URL+"/blobs/"+name+"?signature=x", http.StatusFound)
		return
	}
	w.Header().Set("Etag", `"`+gitSum(content)+`"`)
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(content))
}

func (f *fake) serveStorage(w http.ResponseWriter, r *http.Request) {
	if !f.note("storage", w, r) {
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(f.files[strings.TrimPrefix(r.URL.Path, "/blobs/")]))
	}
}

func (f *fake) list(w http.ResponseWriter) {
	var siblings []map[string]any
	for name, content := range f.files {
		s := map[string]any{"rfilename": name}
		if !f.plainList {
			s["size"], s["blobId"] = len(content), gitSum(content)
			if f.large[name] {
				s["lfs"] = map[string]any{"sha256": sum(content), "size": len(content), "pointerSize": 134}
			}
		}
		siblings = append(siblings, s)
	}
	json.NewEncoder(w).Encode(map[string]any{"id": "acme/small", "sha": commit, "siblings": siblings})
}

func sum(s string) string { h := sha256.Sum256([]byte(s)); return hex.EncodeToString(h[:]) }

func gitSum(s string) string {
	h := gitBlob(int64(len(s)))
	h.Write([]byte(s))
	return hex.EncodeToString(h.Sum(nil))
}

// client returns a client that never really waits, and what it was to wait.
func (f *fake) client(t *testing.T, token string) (*Client, *[]time.Duration) {
	t.Helper()
	var mu sync.Mutex
	waits, told := &[]time.Duration{}, map[time.Duration]int{}
	c, err := New(Options{Endpoint: f.hub.URL, Token: token, UserAgent: "outcrop/test",
		Wait: func(ctx context.Context, d time.Duration) error {
			mu.Lock()
			defer mu.Unlock()
			*waits = append(*waits, d)
			if told[d]--; told[d] < 0 {
				t.Errorf("waits for %v and has told nobody", d)
			}
			return ctx.Err()
		},
		Again: func(why error, d time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			if told[d]++; why == nil {
				t.Error("no reason is told")
			}
		},
		AfterFunc: func(d time.Duration, f func()) func() bool { return time.AfterFunc(d, f).Stop },
	})
	if err != nil {
		t.Fatal(err)
	}
	return c, waits
}

func small() Name { return Name{"acme/small", "main"} }

func pull(t *testing.T, c *Client, dir string) error {
	t.Helper()
	m, err := c.Model(t.Context(), small())
	if err != nil {
		return err
	}
	return c.Download(t.Context(), m, dir, nil)
}

// check wants exactly the needed files in dir, whole.
func (f *fake) check(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
		if b, err := os.ReadFile(filepath.Join(dir, e.Name())); err != nil || string(b) != f.files[e.Name()] {
			t.Errorf("%s has other bytes, %v", e.Name(), err)
		}
	}
	if want := []string{"README.md", "config.json", "model.safetensors", "tokenizer.json"}; !slices.Equal(names, want) {
		t.Errorf("files %q, want %q", names, want)
	}
}
