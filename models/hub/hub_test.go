package hub

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"outcrop.dev/outcrop"
)

func TestPull(t *testing.T) {
	t.Parallel()
	for _, plain := range []bool{false, true} {
		f := newFake(t)
		f.plainList = plain
		c, _ := f.client(t, "secret\n") // as a file has it
		m, err := c.Model(t.Context(), small())
		if err != nil {
			t.Fatal(err)
		}
		want := int64(len(f.files["config.json"]) + len(f.files["tokenizer.json"]) + len(f.files["model.safetensors"]) + len(f.files["README.md"]))
		if m.Bytes() != want || m.Commit != commit || m.ID != "acme/small" {
			t.Errorf("%+v: %d bytes, want %d", m, m.Bytes(), want)
		}
		var last Progress
		var mu sync.Mutex
		dir := filepath.Join(t.TempDir(), "a", "b")
		err = c.Download(t.Context(), m, dir, func(p Progress) {
			mu.Lock()
			defer mu.Unlock()
			if p.Done > last.Done {
				last = p
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		f.check(t, dir)
		if last != (Progress{want, want}) {
			t.Errorf("the last progress is %+v", last)
		}
		// The token is for the hub; whoever keeps the bytes for it has a signed address.
		if f.tokens["hub"] != "Bearer secret" || f.tokens["storage"] != "" {
			t.Errorf("tokens %v", f.tokens)
		}
		before := len(f.requests)
		if err := c.Download(t.Context(), m, dir, nil); err != nil || len(f.requests) != before {
			t.Errorf("what was there has been asked for again: %v, %v", f.requests[before:], err)
		}
	}
}

// TestResume: a connection that is cut goes on from where it was, without waiting for ever.
func TestResume(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.meddle = func(n int, w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/blobs/model.safetensors" || n > 3 {
			return false
		}
		http.ServeContent(&cutter{ResponseWriter: w, left: 100_000}, r, "", time.Time{}, strings.NewReader(f.files["model.safetensors"]))
		return true
	}
	c, waits := f.client(t, "")
	dir := t.TempDir()
	if err := pull(t, c, dir); err != nil {
		t.Fatal(err)
	}
	f.check(t, dir)
	var ranges []string
	for _, r := range f.requests {
		if after, ok := strings.CutPrefix(r, "storage GET /blobs/model.safetensors"); ok {
			ranges = append(ranges, strings.TrimSpace(after))
		}
	}
	if want := []string{"", "bytes=100000-", "bytes=200000-", "bytes=300000-"}; !slices.Equal(ranges, want) {
		t.Errorf("ranges %q, want %q", ranges, want)
	}
	if want := []time.Duration{waitMin, waitMin, waitMin}; !slices.Equal(*waits, want) {
		t.Errorf("waits %v", *waits)
	}
}

// cutter breaks the connection after some bytes.
type cutter struct {
	http.ResponseWriter
	left int
}

func (c *cutter) Write(b []byte) (int, error) {
	n := min(c.left, len(b))
	c.ResponseWriter.Write(b[:n])
	if c.left -= n; c.left == 0 {
		c.ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	return n, nil
}

// TestTakesUpWhatIsThere: a part of an earlier process, right, too long, or with other bytes.
func TestTakesUpWhatIsThere(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		name, part string
		first      string // range of the first request
	}{
		{"right", strings.Repeat("weights!", 10), "bytes=80-"},
		{"other bytes", strings.Repeat("mistake!", 10), "bytes=80-"},
		{"too long", strings.Repeat("weights!", 200_000), ""},
		{"whole", strings.Repeat("weights!", 100_000), "none"},
	} {
		f := newFake(t)
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "model.safetensors.part"), []byte(x.part), 0o600); err != nil {
			t.Fatal(err)
		}
		c, _ := f.client(t, "")
		if err := pull(t, c, dir); err != nil {
			t.Fatal(x.name, err)
		}
		f.check(t, dir)
		first := "none"
		for _, r := range f.requests {
			if after, ok := strings.CutPrefix(r, "storage GET /blobs/model.safetensors"); ok {
				first = strings.TrimSpace(after)
				break
			}
		}
		if first != x.first {
			t.Errorf("%s: the first range is %q, want %q", x.name, first, x.first)
		}
	}
}

// TestMeddling: what goes wrong on the way is tried again, as often as makes sense.
func TestMeddling(t *testing.T) {
	t.Parallel()
	weights := func(r *http.Request) bool { return r.URL.Path == "/blobs/model.safetensors" }
	for name, x := range map[string]struct {
		meddle func(f *fake) func(n int, w http.ResponseWriter, r *http.Request) bool
		code   outcrop.Code // "" if it ends well
		want   string
		waits  []time.Duration
	}{
		"server errors that pass": {func(*fake) func(int, http.ResponseWriter, *http.Request) bool {
			return func(n int, w http.ResponseWriter, r *http.Request) bool {
				if !weights(r) || n > 2 {
					return false
				}
				w.WriteHeader(http.StatusBadGateway)
				return true
			}
		}, "", "", []time.Duration{waitMin, 2 * waitMin}},
		"server errors that stay": {func(*fake) func(int, http.ResponseWriter, *http.Request) bool {
			return func(_ int, w http.ResponseWriter, r *http.Request) bool {
				if weights(r) {
					w.WriteHeader(http.StatusServiceUnavailable)
				}
				return weights(r)
			}
		}, outcrop.CodeServiceUnavailable, "503", []time.Duration{1 * waitMin, 2 * waitMin, 4 * waitMin, 8 * waitMin, 16 * waitMin}},
		"rate limits": {func(*fake) func(int, http.ResponseWriter, *http.Request) bool {
			return func(n int, w http.ResponseWriter, r *http.Request) bool {
				if !strings.HasPrefix(r.URL.Path, "/api/") || n > 2 {
					return false
				}
				w.Header().Set("Retry-After", map[int]string{1: "30", 2: "86400"}[n])
				w.WriteHeader(http.StatusTooManyRequests)
				return true
			}
		}, "", "", []time.Duration{30 * time.Second, waitMax}},
		"wrong bytes for ever": {func(f *fake) func(int, http.ResponseWriter, *http.Request) bool {
			return func(_ int, w http.ResponseWriter, r *http.Request) bool {
				if weights(r) {
					http.ServeContent(w, r, "", time.Time{}, strings.NewReader(strings.Replace(f.files["model.safetensors"], "w", "W", 1)))
				}
				return weights(r)
			}
		}, outcrop.CodeServiceUnavailable, "checksum", nil},
		"a longer file": {func(f *fake) func(int, http.ResponseWriter, *http.Request) bool {
			return func(n int, w http.ResponseWriter, r *http.Request) bool {
				if weights(r) && n == 1 {
					http.ServeContent(w, r, "", time.Time{}, strings.NewReader(f.files["model.safetensors"]+"!"))
				}
				return weights(r) && n == 1
			}
		}, "", "", []time.Duration{waitMin}},
		"another commit": {func(*fake) func(int, http.ResponseWriter, *http.Request) bool {
			return func(_ int, w http.ResponseWriter, r *http.Request) bool {
				if !strings.HasSuffix(r.URL.Path, "config.json") {
					return false
				}
				w.Header().Set("X-Repo-Commit", strings.Repeat("f", 40))
				w.Write([]byte("{}"))
				return true
			}
		}, outcrop.CodeServiceUnavailable, "not from " + commit, nil},
		"no ranges": {func(f *fake) func(int, http.ResponseWriter, *http.Request) bool {
			return func(n int, w http.ResponseWriter, r *http.Request) bool {
				if !weights(r) {
					return false
				}
				r.Header.Del("Range")
				if n == 1 {
					w = &cutter{ResponseWriter: w, left: 5000}
				}
				http.ServeContent(w, r, "", time.Time{}, strings.NewReader(f.files["model.safetensors"]))
				return true
			}
		}, "", "", []time.Duration{waitMin}},
		"other ranges": {func(f *fake) func(int, http.ResponseWriter, *http.Request) bool {
			return func(n int, w http.ResponseWriter, r *http.Request) bool {
				if !weights(r) {
					return false
				}
				if n == 1 {
					w = &cutter{ResponseWriter: w, left: 5000}
				} else if n == 2 {
					r.Header.Set("Range", "bytes=4000-")
				}
				http.ServeContent(w, r, "", time.Time{}, strings.NewReader(f.files["model.safetensors"]))
				return true
			}
		}, "", "", []time.Duration{waitMin, 2 * waitMin}},
		"redirects for ever": {func(*fake) func(int, http.ResponseWriter, *http.Request) bool {
			return func(_ int, w http.ResponseWriter, r *http.Request) bool {
				if weights(r) {
					http.Redirect(w, r, r.URL.Path, http.StatusFound)
				}
				return weights(r)
			}
		}, outcrop.CodeServiceUnavailable, "more than 5 redirects", []time.Duration{1 * waitMin, 2 * waitMin, 4 * waitMin, 8 * waitMin, 16 * waitMin}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.meddle = x.meddle(f)
			c, waits := f.client(t, "")
			dir := t.TempDir()
			err := pull(t, c, dir)
			if outcrop.CodeOf(err) != x.code || err != nil && !strings.Contains(err.Error(), x.want) {
				t.Errorf("error %v, want %s %q", err, x.code, x.want)
			}
			if err == nil {
				f.check(t, dir)
			}
			if !slices.Equal(*waits, x.waits) {
				t.Errorf("waits %v, want %v", *waits, x.waits)
			}
		})
	}
}

// TestStalled: a transfer that brings nothing is begun again.
func TestStalled(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	release := make(chan struct{})
	f.meddle = func(n int, w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/blobs/model.safetensors" || n > 1 {
			return false
		}
		w.Header().Set("Content-Length", "800000")
		w.Write([]byte(f.files["model.safetensors"][:10]))
		w.(http.Flusher).Flush()
		select {
		case <-release:
		case <-r.Context().Done():
		}
		return true
	}
	c, waits := f.client(t, "")
	c.AfterFunc = func(d time.Duration, f func()) func() bool {
		if d != stallTimeout {
			t.Errorf("alarm after %s", d)
		}
		return time.AfterFunc(50*time.Millisecond, f).Stop
	}
	defer close(release)
	if err := pull(t, c, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	if len(*waits) == 0 {
		t.Error("the transfer did not stall")
	}
}

// TestListStalls: a list that stops in its middle is asked for again, not waited for.
func TestListStalls(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.meddle = func(n int, w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(r.URL.Path, "/api/") || n > 1 {
			return false
		}
		w.Write([]byte("{"))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return true
	}
	c, waits := f.client(t, "")
	c.AfterFunc = func(_ time.Duration, f func()) func() bool { return time.AfterFunc(50*time.Millisecond, f).Stop }
	if _, err := c.Model(t.Context(), small()); err != nil || len(*waits) != 1 {
		t.Errorf("error %v after waits %v", err, *waits)
	}
}

// TestErrorsHideSignatures: an address that a redirect has signed is worth a private file; no error
// holds it.
func TestErrorsHideSignatures(t *testing.T) {
	t.Parallel()
	for name, to := range map[string]string{"cut": "", "no protocol": "ftp://x/y?signature=x", "no address": "http://x y/?signature=x"} {
		f := newFake(t)
		f.meddle = func(_ int, w http.ResponseWriter, r *http.Request) bool {
			if to != "" && strings.HasSuffix(r.URL.Path, "/model.safetensors") {
				w.Header().Set("Location", to)
				w.WriteHeader(http.StatusFound)
				return true
			}
			if strings.HasPrefix(r.URL.Path, "/blobs/") {
				panic(http.ErrAbortHandler)
			}
			return false
		}
		c, _ := f.client(t, "")
		var told []string
		again, mu := c.Again, sync.Mutex{}
		c.Again = func(why error, d time.Duration) {
			again(why, d)
			mu.Lock()
			defer mu.Unlock()
			told = append(told, why.Error())
		}
		err := pull(t, c, t.TempDir())
		if err == nil || strings.Contains(err.Error()+strings.Join(told, ""), "signature") {
			t.Errorf("%s: error %v, and on the way %q", name, err, told)
		}
	}
}

// TestInterrupted: what has come before the end of the context is gone on from.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	ctx, cancel := context.WithCancel(t.Context())
	f.meddle = func(n int, w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/blobs/model.safetensors" || n > 1 {
			return false
		}
		w.Header().Set("Content-Length", "800000")
		w.Write([]byte(f.files["model.safetensors"][:4096]))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return true
	}
	c, waits := f.client(t, "")
	m, err := c.Model(ctx, small())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	err = c.Download(ctx, m, dir, func(p Progress) {
		if info, err := os.Stat(filepath.Join(dir, "model.safetensors.part")); err == nil && info.Size() == 4096 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || len(*waits) != 0 {
		t.Fatalf("error %v after waits %v", err, *waits)
	}
	if err := c.Download(t.Context(), m, dir, nil); err != nil {
		t.Fatal(err)
	}
	f.check(t, dir)
	if !slices.Contains(f.requests, "storage GET /blobs/model.safetensors bytes=4096-") {
		t.Errorf("requests %q", f.requests)
	}
}

// TestRefusals: each answer of the hub becomes what a person can do.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		token, code string
		status      int
		want        outcrop.Code
		text        string
	}{
		{"", "RepoNotFound", 401, outcrop.CodeNotFound, "misspelt, or it is private"},
		{"t", "", 401, outcrop.CodeAccessDenied, "has expired"},
		{"", "GatedRepo", 401, outcrop.CodeAccessDenied, "Accept its terms at http://127.0.0.1"},
		{"t", "GatedRepo", 403, outcrop.CodeAccessDenied, "is gated"},
		{"t", "", 403, outcrop.CodeAccessDenied, "may not read"},
		{"", "", 403, outcrop.CodeAccessDenied, "no token"},
		{"", "RepoNotFound", 404, outcrop.CodeNotFound, "There is no acme/small"},
		{"", "RevisionNotFound", 404, outcrop.CodeNotFound, `no revision "main"`},
		{"", "", 429, outcrop.CodeThrottling, "HF_TOKEN for a higher"},
		{"", "", 500, outcrop.CodeServiceUnavailable, "answers 500"},
		{"", "", 418, outcrop.CodeServiceUnavailable, "answers 418"},
	} {
		f := newFake(t)
		f.meddle = func(_ int, w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("X-Error-Code", x.code)
			w.WriteHeader(x.status)
			return true
		}
		c, _ := f.client(t, x.token)
		if err := pull(t, c, t.TempDir()); outcrop.CodeOf(err) != x.want || !strings.Contains(err.Error(), x.text) {
			t.Errorf("%d %s: %v, want %s %q", x.status, x.code, err, x.want, x.text)
		}
	}
}

// TestLists: what the hub says of a model is not believed without looking.
func TestLists(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		change func(*fake)
		list   string // instead of the list
		want   string
	}{
		"no tokenizer": {func(f *fake) { delete(f.files, "tokenizer.json") }, "", "it has no tokenizer.json"},
		"no config":    {func(f *fake) { delete(f.files, "config.json") }, "", "it has no config.json"},
		"pickle":       {func(f *fake) { delete(f.files, "model.safetensors") }, "", "may hold programs"},
		"not JSON":     {func(*fake) {}, "<html>", "not the hub's"},
		"no commit":    {func(*fake) {}, `{"id":"acme/small","sha":"main"}`, "not a hub"},
		"strange id":   {func(*fake) {}, `{"id":"../x","sha":"` + commit + `"}`, "not a hub"},
		"too long":     {func(*fake) {}, strings.Repeat(" ", infoBytesMax+1), "longer than"},
		"no checksum": {func(*fake) {}, `{"id":"acme/small","sha":"` + commit + `","siblings":[{"rfilename":"config.json","size":5,"blobId":"x"},
			{"rfilename":"tokenizer.json","size":5,"blobId":"x"},{"rfilename":"model.safetensors","size":5,"blobId":"x"}]}`, "tells no checksum of"},
		"huge": {func(*fake) {}, `{"id":"acme/small","sha":"` + commit + `","siblings":[{"rfilename":"config.json","size":5,"blobId":"` + commit + `"},
			{"rfilename":"tokenizer.json","size":5,"blobId":"` + commit + `"},{"rfilename":"model.safetensors","lfs":{"size":1099511627777,"sha256":"` + strings.Repeat("a", 64) + `"}}]}`, "a size of model.safetensors"},
		"a great text": {func(*fake) {}, `{"id":"acme/small","sha":"` + commit + `","siblings":[{"rfilename":"config.json","size":67108865,"blobId":"` + commit + `"},
			{"rfilename":"tokenizer.json","size":67108864,"blobId":"` + commit + `"},{"rfilename":"model.safetensors","lfs":{"size":5,"sha256":"` + strings.Repeat("a", 64) + `"}}]}`, "its config.json has 67108865 bytes"},
		"no room": {func(*fake) {}, `{"id":"acme/small","sha":"` + commit + `","siblings":[{"rfilename":"config.json","size":5,"blobId":"` + commit + `"},
			{"rfilename":"tokenizer.json","size":5,"blobId":"` + commit + `"},{"rfilename":"model.safetensors","lfs":{"size":1099511627776,"sha256":"` + strings.Repeat("a", 64) + `"}}]}`, "There is no room"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			x.change(f)
			f.meddle = func(_ int, w http.ResponseWriter, r *http.Request) bool {
				if x.list != "" && strings.HasPrefix(r.URL.Path, "/api/") {
					w.Write([]byte(x.list))
					return true
				}
				return false
			}
			c, _ := f.client(t, "")
			if err := pull(t, c, t.TempDir()); err == nil || !strings.Contains(err.Error(), x.want) {
				t.Errorf("error %v, want %q", err, x.want)
			}
		})
	}
}

func TestShards(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	delete(f.files, "model.safetensors")
	f.files["model-00001-of-00002.safetensors"], f.files["model-00002-of-00002.safetensors"] = "one", "two"
	f.files["consolidated.safetensors"] = "the same again"
	f.files["model.safetensors.index.json"] = `{"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors","c":"model-00002-of-00002.safetensors"}}`
	c, _ := f.client(t, "")
	m, err := c.Model(t.Context(), small())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, x := range m.Files {
		names = append(names, x.Name)
	}
	if want := []string{"README.md", "config.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json", "tokenizer.json"}; !slices.Equal(names, want) {
		t.Errorf("files %q", names)
	}
	for index, want := range map[string]string{
		`{"weight_map":{"a":"model-00003-of-00003.safetensors"}}`: "names the file model-00003-of-00003",
		`{"weight_map":{"a":"../../etc/passwd"}}`:                 "not a file name",
		`{"weight_map":{"a":"pytorch_model.bin"}}`:                "no safetensors file",
		`{"weight_map":{"a":"config.json"}}`:                      "no safetensors file",
		`{"weight_map":{"a":"\u001b[2J.safetensors"}}`:            "no safetensors file",
		`{}`: "weight_map",
	} {
		f.files["model.safetensors.index.json"] = index
		if _, err := c.Model(t.Context(), small()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestTwoAtOnce(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	dir := t.TempDir()
	lock, err := lockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	c, _ := f.client(t, "")
	if err := pull(t, c, dir); outcrop.CodeOf(err) != outcrop.CodeConflict {
		t.Errorf("error %v", err)
	}
	lock.Close()
	if err := pull(t, c, dir); err != nil {
		t.Error(err)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]Name{
		"acme/small": {"acme/small", "main"}, "gpt2": {"gpt2", "main"}, "a/b@refs/pr/1": {"a/b", "refs/pr/1"},
		"https://huggingface.co/a/b": {"a/b", "main"}, "a/b@v1.0": {"a/b", "v1.0"},
	} {
		if got, err := ParseName(s); err != nil || got != want {
			t.Errorf("%s is %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "a/b/c", "a/../b", "..", "a/b@", "a/b@../x", "a b", "a/b@x y", "-a/b", "a/b@x..y", "/a", strings.Repeat("a", 97)} {
		if n, err := ParseName(s); outcrop.CodeOf(err) != outcrop.CodeValidation {
			t.Errorf("%q is %v, %v", s, n, err)
		}
	}
	if s := (Name{"a/b", "main"}).String() + (Name{"a/b", "v1"}).String(); s != "a/ba/b@v1" {
		t.Error(s)
	}
}

func TestEndpoints(t *testing.T) {
	t.Parallel()
	for _, x := range []struct{ endpoint, token, want string }{
		{"", "t", ""}, {"https://mirror.example/hub/", "t", ""}, {"http://mirror.example", "", ""}, {"http://127.0.0.1:1", "t", ""},
		{"http://mirror.example", "t", "in clear text"}, {"ftp://x", "", "not an address"}, {"mirror.example", "", "not an address"},
	} {
		_, err := New(Options{Endpoint: x.endpoint, Token: x.token})
		if (err == nil) != (x.want == "") || err != nil && !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v, want %q", x.endpoint, err, x.want)
		}
	}
}

// TestDowngrade: from https to http nothing is followed.
func TestDowngrade(t *testing.T) {
	t.Parallel()
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	defer plain.Close()
	secure := httptest.NewTLSServer(http.RedirectHandler(plain.URL, http.StatusFound))
	defer secure.Close()
	c, err := New(Options{Endpoint: secure.URL, Transport: secure.Client().Transport, Wait: func(context.Context, time.Duration) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Model(t.Context(), small()); err == nil || !strings.Contains(err.Error(), "not https") {
		t.Errorf("error %v", err)
	}
}
