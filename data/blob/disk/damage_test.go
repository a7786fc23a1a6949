package disk

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"outcrop.dev/outcrop/data/blob"
)

// flip changes a bit of a file.
func flip(t testing.TB, path string, at int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	must(t, err)
	defer f.Close()
	var b [1]byte
	_, err = f.ReadAt(b[:], at)
	must(t, err)
	b[0] ^= 4
	_, err = f.WriteAt(b[:], at)
	must(t, err)
}

func onlyFile(t testing.TB, s *Store) string {
	t.Helper()
	var file string
	must(t, s.db.Reader.QueryRow("SELECT DISTINCT file FROM segments").Scan(&file))
	return file
}

// read returns what a reader hands out of a range, by Read and by WriteTo.
func read(t testing.TB, s *Store, key string, first, n int64) (got [2]string, errs [2]error) {
	t.Helper()
	_, r, err := s.Open(ctx, "b", key)
	must(t, err)
	defer r.Close()
	for i, from := range []func() ([]byte, error){
		func() ([]byte, error) { return io.ReadAll(struct{ io.Reader }{r}) },
		func() ([]byte, error) {
			var b bytes.Buffer
			_, err := r.(io.WriterTo).WriteTo(&b)
			return b.Bytes(), err
		},
	} {
		r.Range(first, n)
		b, err := from()
		got[i], errs[i] = string(b), err
	}
	return got, errs
}

// Sizes around a block, and a bit flipped everywhere that matters: of what is handed out, no byte
// is wrong, and what is missing is an error with the file's name.
func TestFlippedBits(t *testing.T) {
	t.Parallel()
	for _, n := range []int64{1, blockBytes - 1, blockBytes, blockBytes + 1, 3*blockBytes + 5} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			s := newStore(t)
			body := strings.Repeat("0123456789abcde", int(n/15)+1)[:n]
			put(t, s, "k", body)
			path := s.path(onlyFile(t, s))
			info, err := os.Stat(path)
			must(t, err)
			at := []int64{0, n / 2, n - 1, n, n + 10} // the last two are of the footer
			for p := n; p < info.Size()-int64(len(footerMagic)); p += 7 {
				at = append(at, p)
			}
			for _, at := range at {
				flip(t, path, at)
				block := at / blockBytes * blockBytes
				got, errs := read(t, s, "k", 0, n)
				for i := range got {
					if !errors.Is(errs[i], blob.ErrDamaged) || !strings.Contains(errs[i].Error(), filepath.Base(path)) {
						t.Errorf("byte %d: %v", at, errs[i])
					}
					if !strings.HasPrefix(body, got[i]) || at < n && int64(len(got[i])) != block {
						t.Errorf("byte %d: %d bytes were handed out", at, len(got[i]))
					}
				}
				if at < n && block > 0 { // what is before it is still good
					if got, errs := read(t, s, "k", 1, block-1); got[0] != body[1:block] || errs[0] != nil {
						t.Errorf("byte %d: a range before it: %v", at, errs[0])
					}
				}
				if got, errs := read(t, s, "k", min(at, n-1), 1); got[0] != "" || !errors.Is(errs[0], blob.ErrDamaged) {
					t.Errorf("byte %d: a range of it: %q %v", at, got[0], errs[0])
				}
				flip(t, path, at)
			}
			if get(t, s, "b", "k") != body || s.Damaged() != 1 {
				t.Errorf("%d damaged files", s.Damaged())
			}
			must(t, s.Delete(ctx, "b", "k", blob.Condition{}))
			if contentFiles(t, s); s.Damaged() != 0 {
				t.Error("a deleted file is damaged still")
			}
		})
	}
}

// Parts, copies and ranges of copies are of the same files, and are checked as they are.
func TestFlippedBitsInPartsAndCopies(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	big := strings.Repeat("x", 2*blockBytes)
	put(t, s, "k", big)
	path := s.path(onlyFile(t, s))
	_, err := s.Copy(ctx, blob.Source{Bucket: "b", Key: "k"}, "b", "copy", blob.CopyInput{Attributes: func(blob.Object) (blob.Attributes, error) { return blob.Attributes{}, nil }})
	must(t, err)
	up, err := s.CreateUpload(ctx, blob.Upload{Bucket: "b", Key: "parts"})
	must(t, err)
	_, err = s.UploadPartCopy(ctx, blob.Source{Bucket: "b", Key: "k", First: blockBytes - 3, Length: 10}, "b", "parts", up.ID, 1)
	must(t, err)
	_, err = s.UploadPart(ctx, "b", "parts", up.ID, 2, blob.PutInput{Body: strings.NewReader("last")})
	must(t, err)
	_, err = s.CompleteUpload(ctx, "b", "parts", up.ID, completeAll(big[:10], "last"))
	must(t, err)
	if got := get(t, s, "b", "parts"); got != big[:10]+"last" {
		t.Fatalf("parts: %q", got)
	}
	flip(t, path, blockBytes+2)
	for _, key := range []string{"k", "copy", "parts"} {
		if _, errs := read(t, s, key, 0, 2*blockBytes); !errors.Is(errs[0], blob.ErrDamaged) || !errors.Is(errs[1], blob.ErrDamaged) {
			t.Errorf("%s: %v", key, errs)
		}
	}
	_, err = s.UploadPartCopy(ctx, blob.Source{Bucket: "b", Key: "k", First: 0, Length: -1}, "b", "parts", up.ID, 1)
	if err == nil {
		t.Error("copied wrong bytes")
	}
}

// asBefore makes a content file what an older program wrote: the body alone.
func asBefore(t testing.TB, s *Store, file string) {
	t.Helper()
	c, err := s.openContent(file)
	must(t, err)
	c.f.Close()
	must(t, os.Truncate(s.path(file), c.size))
}

// The scrub finds what is wrong, names the objects in the log, and gives older files checksums,
// unless they are wrong already.
func TestScrub(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var log bytes.Buffer
	opt := testOptions()
	opt.Log = slog.New(slog.NewTextHandler(&log, nil))
	s, err := Open(ctx, dir, opt)
	must(t, err)
	defer s.Close()
	must(t, s.CreateBucket(ctx, "b", nil))
	files := map[string]string{}
	for _, key := range []string{"good", "bad", "older", "older-bad", "short"} {
		put(t, s, key, strings.Repeat(key, 50_000))
		var file string
		must(t, s.db.Reader.QueryRow("SELECT file FROM segments JOIN objects ON owner = id WHERE key = ?", []byte(key)).Scan(&file))
		files[key] = file
	}
	flip(t, s.path(files["bad"]), 100)
	for _, key := range []string{"older", "older-bad", "short"} {
		asBefore(t, s, files[key])
	}
	flip(t, s.path(files["older-bad"]), 100)
	must(t, os.Truncate(s.path(files["short"]), 99))
	r, err := Scrub(ctx, dir, opt) // beside the open store
	must(t, err)
	if r.Files != 5 || r.New != 1 || len(r.Damaged) != 3 {
		t.Errorf("%+v", r)
	}
	for _, key := range []string{"bad", "older-bad", "short"} {
		if !strings.Contains(log.String(), "b/"+key) || !strings.Contains(log.String(), files[key]) {
			t.Errorf("the log does not name %s:\n%s", key, log.String())
		}
	}
	flip(t, s.path(files["older"]), 100)
	if _, errs := read(t, s, "older", 0, 200); !errors.Is(errs[0], blob.ErrDamaged) {
		t.Errorf("an older file after the scrub: %v", errs[0])
	}
	r, err = s.scrub(ctx, 77, func() error { return nil })
	must(t, err)
	if r.New != 0 || len(r.Damaged) != 4 || s.Damaged() != 4 {
		t.Errorf("%+v, %d", r, s.Damaged())
	}
	if _, errs := read(t, s, "older-bad", 0, 200); !errors.Is(errs[0], blob.ErrDamaged) {
		t.Errorf("an older file that the scrub found wrong: %v", errs[0])
	}
	must(t, os.Remove(s.path(files["good"])))
	r, err = Scrub(ctx, dir, opt)
	must(t, err)
	if len(r.Damaged) != 5 || !strings.Contains(log.String(), files["good"]+" is missing") {
		t.Errorf("a file that is gone: %+v", r)
	}
	must(t, s.Delete(ctx, "b", "older", blob.Condition{}))
	contentFiles(t, s)
	if exists(s.sumsPath(files["older"])) {
		t.Error("the checksums of a deleted file are still there")
	}
}
