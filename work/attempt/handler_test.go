package attempt

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"outcrop.dev/outcrop"
)

// send makes a raw request with the attempt's token and returns status and body.
func (w *world) send(method, path, body string, edit func(*http.Request)) (int, string) {
	w.t.Helper()
	req, err := http.NewRequest(method, w.server.URL+Root+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+NewSigner(testKey).Token(testID))
	if edit != nil {
		edit(req)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.Header.Get(marker) == "" {
		w.t.Errorf("%s %s: no %s header", method, path, marker)
	}
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b)
}

func TestHandlerStatus(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := func(n int) string { return `{"Phase":"Training","X":"` + strings.Repeat("x", n-27) + `"}` }
	for name, tc := range map[string]struct {
		method, path, body string
		status             int
	}{
		"spec":             {"GET", "spec", "", 200},
		"unknown path":     {"GET", "nothing", "", 404},
		"wrong method":     {"DELETE", "spec", "", 405},
		"not JSON":         {"POST", "heartbeat", "{", 400},
		"no phase":         {"POST", "heartbeat", "{}", 400},
		"longest phase":    {"POST", "heartbeat", `{"Phase":"` + strings.Repeat("x", phaseBytesMax) + `"}`, 200},
		"a longer one":     {"POST", "heartbeat", `{"Phase":"` + strings.Repeat("x", phaseBytesMax+1) + `"}`, 400},
		"negative step":    {"POST", "heartbeat", `{"Phase":"Training","Progress":{"Step":-1}}`, 400},
		"wrong type":       {"POST", "heartbeat", `{"Phase":3}`, 400},
		"many validators":  {"POST", "heartbeat", `{"Phase":"Training","Progress":{"ValidationLosses":[1,2,3,4,5,6,7,8,9,10,11]}}`, 400},
		"enough":           {"POST", "heartbeat", `{"Phase":"Training","Progress":{"ValidationLosses":[1,2,3,4,5,6,7,8,9,10]}}`, 200},
		"body at limit":    {"POST", "heartbeat", body(bodyBytesMax), 200},
		"body over limit":  {"POST", "heartbeat", body(bodyBytesMax + 1), 400},
		"other's result":   {"POST", "result", `{"Attempt":2}`, 400},
		"result":           {"POST", "result", `{"Attempt":3}`, 204},
		"no uri":           {"GET", "object", "", 403},
		"not an uri":       {"GET", "object?uri=%zz", "", 403},
		"put to the input": {"PUT", "object?uri=s3://in/train.jsonl", "x", 403},
	} {
		if got, said := w.send(tc.method, tc.path, tc.body, nil); got != tc.status {
			t.Errorf("%s: %d %s, want %d", name, got, said, tc.status)
		}
	}
	w.jobs.set(func(j *fakeJobs) { j.failing = 1 })
	if got, said := w.send("GET", "spec", "", nil); got != 500 || strings.Contains(said, "pipe") {
		t.Errorf("a failure of our own: %d %s", got, said)
	}
}

func TestHandlerAuthenticates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, header := range []string{
		"", "Bearer ", "Bearer x.y.z", "Bearer v1..", NewSigner(testKey).Token(testID),
		"Bearer " + NewSigner(make([]byte, KeyBytes)).Token(testID), "Bearer " + strings.Repeat("a.", 10_000),
	} {
		status, _ := w.send("GET", "spec", "", func(r *http.Request) { r.Header.Set("Authorization", header) })
		if status != http.StatusUnauthorized {
			t.Errorf("%.40q: %d", header, status)
		}
	}
	older := ID{Job: testID.Job, Number: testID.Number - 1}
	for _, path := range []string{"spec", "object?uri=s3://in/train.jsonl"} {
		status, _ := w.send("GET", path, "", func(r *http.Request) {
			r.Header.Set("Authorization", "Bearer "+NewSigner(testKey).Token(older))
		})
		if status != http.StatusConflict {
			t.Errorf("an older attempt gets %d for %s", status, path)
		}
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	s := NewSigner(testKey)
	token := s.Token(testID)
	if got, ok := s.Check(token); !ok || got != testID {
		t.Errorf("Check = %+v, %v", got, ok)
	}
	for i := range len(token) {
		bad := []byte(token)
		bad[i] ^= 2
		if id, ok := s.Check(string(bad)); ok {
			t.Errorf("byte %d changed: accepted as %+v", i, id)
		}
	}
}

// zeros is an endless body of which n bytes are read.
func zeros(n int64) io.Reader {
	return io.LimitReader(readerFunc(func(p []byte) (int, error) { clear(p); return len(p), nil }), n)
}

func TestArtefactLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.objects.discard = true
	w.handler.(*Handler).artefactMax = 1 << 20
	for n, want := range map[int64]int{1 << 20: 204, 1<<20 + 1: 400} {
		for _, announced := range []int64{n, -1} {
			got, said := w.send("PUT", "object?uri="+w.spec.OutputPrefix+"/big", "", func(r *http.Request) {
				r.Body, r.ContentLength = io.NopCloser(zeros(n)), announced
			})
			if got != want {
				t.Errorf("%d bytes, %d announced: %d %s, want %d", n, announced, got, said, want)
			}
		}
	}
	big := io.NewSectionReader(nil, 0, artefactBytesMax+1)
	if err := w.connect().Put(t.Context(), w.spec.OutputPrefix+"/big", "", big); outcrop.CodeOf(err) != outcrop.CodeValidation {
		t.Errorf("the client sent it: %v", err)
	}
}
