package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// standInCommit is the commit of the one model of the hub that a script starts.
const standInCommit = "0123456789abcdef0123456789abcdef01234567"

// startHub serves the files of a directory as the model acme/Small-1.5B, and sets HF_ENDPOINT:
// hub DIR. Its first transfer of the weights breaks off in the middle. acme/gated is gated.
func startHub(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: hub DIR")
	}
	dir := ts.MkAbs(args[0])
	var transfers atomic.Int32
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/models/acme/gated/revision/main", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Error-Code", "GatedRepo")
		w.WriteHeader(http.StatusForbidden)
	})
	mux.HandleFunc("GET /api/models/acme/Small-1.5B/revision/main", func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(map[string]any{"id": "acme/Small-1.5B", "sha": standInCommit, "siblings": siblings(ts, dir)})
	})
	mux.HandleFunc("GET /acme/Small-1.5B/resolve/"+standInCommit+"/{file}", func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("file") == "model.safetensors" && transfers.Add(1) == 1 {
			w.Header().Set("Content-Length", "1000000000")
			w.Write(make([]byte, 1))
			panic(http.ErrAbortHandler)
		}
		f, err := os.Open(filepath.Join(dir, r.PathValue("file")))
		if err != nil {
			http.NotFound(w, r)
			return
		}
		defer f.Close()
		http.ServeContent(w, r, "", time.Time{}, f)
	})
	s := httptest.NewServer(mux)
	ts.Defer(s.Close)
	ts.Setenv("HF_ENDPOINT", s.URL)
}

func siblings(ts *testscript.TestScript, dir string) (all []map[string]any) {
	entries, err := os.ReadDir(dir)
	ts.Check(err)
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		ts.Check(err)
		sum := sha256.Sum256(b)
		s := map[string]any{"rfilename": e.Name(), "size": len(b), "lfs": map[string]any{"size": len(b), "sha256": hex.EncodeToString(sum[:])}}
		if !strings.HasPrefix(e.Name(), ".") {
			all = append(all, s)
		}
	}
	return append(all, map[string]any{"rfilename": "pytorch_model.bin", "size": 5, "blobId": standInCommit})
}
