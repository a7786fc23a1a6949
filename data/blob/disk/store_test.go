package disk

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/blob"
	"outcrop.dev/outcrop/data/blob/blobtest"
	"outcrop.dev/outcrop/internal/lost"
)

var ctx = context.Background()

func testOptions() Options {
	return Options{Now: time.Now, Rand: rand.Reader, Log: slog.New(slog.DiscardHandler)}
}

func openStore(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(ctx, dir, testOptions())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newStore(t testing.TB) *Store {
	t.Helper()
	s := openStore(t, t.TempDir())
	t.Cleanup(func() { s.Close() })
	must(t, s.CreateBucket(ctx, "b", nil))
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func put(t testing.TB, s *Store, key, body string) blob.Object {
	t.Helper()
	o, err := s.Put(ctx, "b", key, blob.PutInput{Body: strings.NewReader(body)})
	must(t, err)
	return o
}

func get(t testing.TB, s *Store, bucket, key string) string {
	t.Helper()
	o, r, err := s.Open(ctx, bucket, key)
	must(t, err)
	defer r.Close()
	b, err := io.ReadAll(r)
	must(t, err)
	if int64(len(b)) != o.Size {
		t.Errorf("%s: %d bytes, the row says %d", key, len(b), o.Size)
	}
	return string(b)
}

func md5Of(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

// contentFiles counts the files on disk, after the reclaimer had its turn.
func contentFiles(t testing.TB, s *Store) int {
	t.Helper()
	s.junk.stop()
	for batch := s.junk.take(); len(batch) > 0; batch = s.junk.take() {
		s.junk.reclaim(batch)
	}
	s.junk.keep(s.junk.old)
	s.junk = startReclaimer(s, nil)
	n := 0
	must(t, filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !strings.HasPrefix(d.Name(), "index.db") && d.Name() != holdFile {
			n++
		}
		if err == nil && (d.Name() == lost.Name || d.Name() == "notes") {
			return fs.SkipDir
		}
		return err
	}))
	return n
}

func TestPutGet(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	in := blob.PutInput{Algorithms: []blob.Algorithm{blob.CRC32}, Attributes: blob.Attributes{
		Headers:  map[string]string{"Content-Type": "text/plain"},
		Metadata: map[string]string{"a": "ü"}, Tags: []blob.Tag{{Key: "k", Value: "v"}},
	}}
	for _, n := range []int{0, 1, bufferBytes - 1, bufferBytes, bufferBytes + 1, 5*bufferBytes + 7} {
		body := strings.Repeat("x", n)
		in.Body = iotest.HalfReader(strings.NewReader(body))
		in.Accept = func(d blob.Digest) (blob.Checksum, error) {
			if d.Size != int64(n) {
				t.Errorf("accept: %d bytes of %d", d.Size, n)
			}
			return blob.Checksum{Algorithm: blob.CRC32, Type: blob.FullObject, Value: blob.Encode(d.Sums[blob.CRC32])}, nil
		}
		o, err := s.Put(ctx, "b", "k", in)
		must(t, err)
		if o.ETag != md5Of(body) || o.Size != int64(n) {
			t.Errorf("%d bytes: %+v", n, o)
		}
		if get(t, s, "b", "k") != body {
			t.Errorf("%d bytes came back changed", n)
		}
		head, err := s.Head(ctx, "b", "k")
		must(t, err)
		if fmt.Sprint(head) != fmt.Sprint(o) || head.Metadata["a"] != "ü" || head.Tags[0].Value != "v" {
			t.Errorf("head %+v\nput  %+v", head, o)
		}
	}
	if n := contentFiles(t, s); n != 1 {
		t.Errorf("%d content files for one object", n)
	}
}

// Keys never become paths, and no two of them are one.
func TestKeys(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	keys := []string{"a", "a/", "a/b", "a//b", "/", "//", "..", "../..", "../../etc/passwd", ".", "a\x00b", "a\nb", "ü", "u\u0308", "A", " ",
		"\xff\xfe", strings.Repeat("k", 1024), "%2F", "index.db", "a\\b"}
	for _, k := range keys {
		put(t, s, k, "body of "+k)
	}
	for _, k := range keys {
		if got := get(t, s, "b", k); got != "body of "+k {
			t.Errorf("key %q holds %q", k, got)
		}
	}
	page, err := s.ListObjects(ctx, "b", blob.ObjectQuery{Max: 1000})
	must(t, err)
	if len(page.Objects) != len(keys) || page.Truncated {
		t.Errorf("%d keys listed of %d", len(page.Objects), len(keys))
	}
	for i, o := range page.Objects {
		if i > 0 && o.Key <= page.Objects[i-1].Key {
			t.Errorf("%q comes after %q", o.Key, page.Objects[i-1].Key)
		}
	}
}

func TestPutFailures(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	put(t, s, "k", "old")
	boom := errors.New("boom")
	for name, c := range map[string]struct {
		bucket string
		in     blob.PutInput
		want   error
	}{
		"no bucket": {"none", blob.PutInput{Body: iotest.ErrReader(boom)}, blob.ErrNoSuchBucket},
		"body":      {"b", blob.PutInput{Body: io.MultiReader(strings.NewReader("new"), iotest.ErrReader(boom))}, boom},
		"cut off":   {"b", blob.PutInput{Body: io.MultiReader(strings.NewReader("new"), iotest.ErrReader(io.ErrUnexpectedEOF))}, io.ErrUnexpectedEOF},
		"refused": {"b", blob.PutInput{Body: strings.NewReader("new"),
			Accept: func(blob.Digest) (blob.Checksum, error) { return blob.Checksum{}, boom }}, boom},
		"exists":       {"b", blob.PutInput{Body: strings.NewReader("new"), Condition: blob.Condition{Absent: true}}, blob.ErrPrecondition},
		"another etag": {"b", blob.PutInput{Body: strings.NewReader("new"), Condition: blob.Condition{ETag: "x"}}, blob.ErrPrecondition},
	} {
		if _, err := s.Put(ctx, c.bucket, "k", c.in); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.Put(ctx, "b", "new", blob.PutInput{Body: strings.NewReader("x"), Condition: blob.Condition{ETag: "*"}}); !errors.Is(err, blob.ErrNoSuchKey) {
		t.Errorf("If-Match on nothing: %v", err)
	}
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := s.Put(stopped, "b", "k", blob.PutInput{Body: strings.NewReader("x")}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if get(t, s, "b", "k") != "old" {
		t.Error("a failed put changed the object")
	}
	if n := contentFiles(t, s); n != 1 {
		t.Errorf("failed puts left %d files", n-1)
	}
	for _, c := range []blob.Condition{{ETag: md5Of("old")}, {ETag: "*"}} {
		_, err := s.Put(ctx, "b", "k", blob.PutInput{Body: strings.NewReader("old"), Condition: c})
		must(t, err)
	}
}

func TestRange(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	id := uploadParts(t, s, "k", "0123", "", "456", "789")
	_, err := s.CompleteUpload(ctx, "b", "k", id, completeAll("0123", "", "456", "789"))
	must(t, err)
	const whole = "0123456789"
	_, r, err := s.Open(ctx, "b", "k")
	must(t, err)
	defer r.Close()
	for first := range len(whole) + 1 {
		for n := range len(whole) - first + 3 {
			r.Range(int64(first), int64(n))
			got, err := io.ReadAll(iotest.OneByteReader(r))
			if want := whole[first:min(first+n, len(whole))]; err != nil || string(got) != want {
				t.Errorf("%d bytes from %d: %q, %v", n, first, got, err)
			}
		}
	}
}

func uploadParts(t testing.TB, s *Store, key string, bodies ...string) string {
	t.Helper()
	up, err := s.CreateUpload(ctx, blob.Upload{Bucket: "b", Key: key, Checksum: blob.Checksum{Algorithm: blob.CRC32, Type: blob.FullObject}})
	must(t, err)
	for i, body := range bodies {
		_, err := s.UploadPart(ctx, "b", key, up.ID, i+1, blob.PutInput{Body: strings.NewReader(body)})
		must(t, err)
	}
	return up.ID
}

func completeAll(bodies ...string) blob.CompleteInput {
	var in blob.CompleteInput
	for i, body := range bodies {
		in.Parts = append(in.Parts, blob.CompletedPart{Number: i + 1, ETag: md5Of(body)})
	}
	return in
}

func TestMultipart(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	put(t, s, "k", "old")
	up, err := s.CreateUpload(ctx, blob.Upload{Bucket: "b", Key: "k", Checksum: blob.Checksum{Algorithm: blob.CRC32, Type: blob.FullObject},
		Attributes: blob.Attributes{Metadata: map[string]string{"m": "1"}}})
	must(t, err)
	part := func(n int, body string) {
		_, err := s.UploadPart(ctx, "b", "k", up.ID, n, blob.PutInput{Body: strings.NewReader(body), Algorithms: []blob.Algorithm{blob.CRC32},
			Accept: func(d blob.Digest) (blob.Checksum, error) {
				return blob.Checksum{Algorithm: blob.CRC32, Value: blob.Encode(d.Sums[blob.CRC32])}, nil
			}})
		must(t, err)
	}
	part(3, "ccc")
	part(1, "wrong")
	part(1, "aaa")
	part(2, "bbb")
	part(9, "not named")
	_, listed, err := s.ListParts(ctx, "b", "k", up.ID, 1, 2)
	must(t, err)
	if len(listed) != 2 || listed[0].Number != 2 || listed[1].Size != 3 {
		t.Errorf("parts %+v", listed)
	}
	if got := get(t, s, "b", "k"); got != "old" {
		t.Errorf("before completion the key holds %q", got)
	}
	in := completeAll("aaa", "bbb", "ccc")
	o, err := s.CompleteUpload(ctx, "b", "k", up.ID, in)
	must(t, err)
	h := blob.CRC32.New()
	h.Write([]byte("aaabbbccc"))
	want := blob.Checksum{Algorithm: blob.CRC32, Type: blob.FullObject, Value: blob.Encode(h.Sum(nil))}
	if o.Size != 9 || !strings.HasSuffix(o.ETag, "-3") || o.Checksum != want || o.Metadata["m"] != "1" || o.Parts != 3 {
		t.Errorf("%+v", o)
	}
	if got := get(t, s, "b", "k"); got != "aaabbbccc" {
		t.Errorf("completed: %q", got)
	}
	again, err := s.CompleteUpload(ctx, "b", "k", up.ID, in)
	if err != nil || again.ETag != o.ETag {
		t.Errorf("completed again: %+v, %v", again, err)
	}
	if n := contentFiles(t, s); n != 3 {
		t.Errorf("%d content files for three parts", n)
	}
	put(t, s, "k", "new")
	if _, err := s.CompleteUpload(ctx, "b", "k", up.ID, in); !errors.Is(err, blob.ErrNoSuchUpload) {
		t.Errorf("completed what was overwritten: %v", err)
	}
	if n := contentFiles(t, s); n != 1 {
		t.Errorf("%d content files for one object", n)
	}
}

func TestCompleteRefuses(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	id := uploadParts(t, s, "k", "aaaaa", "b", "c")
	boom := errors.New("boom")
	var small *blob.PartError
	for name, c := range map[string]struct {
		edit func(*blob.CompleteInput)
		want error
	}{
		"no parts":     {func(in *blob.CompleteInput) { in.Parts = nil }, blob.ErrNoParts},
		"order":        {func(in *blob.CompleteInput) { in.Parts[0].Number = 2 }, blob.ErrPartOrder},
		"missing":      {func(in *blob.CompleteInput) { in.Parts[2].Number = 7 }, nil},
		"another etag": {func(in *blob.CompleteInput) { in.Parts[1].ETag = md5Of("x") }, nil},
		"too small":    {func(in *blob.CompleteInput) { in.PartMin = 2 }, nil},
		"checksum": {func(in *blob.CompleteInput) {
			in.Parts[0].Checksum = blob.Checksum{Algorithm: blob.CRC32, Value: "AAAAAA=="}
		}, nil},
		"refused":   {func(in *blob.CompleteInput) { in.Accept = func(blob.Object) error { return boom } }, boom},
		"condition": {func(in *blob.CompleteInput) { in.Condition.ETag = "x" }, blob.ErrNoSuchKey},
	} {
		in := completeAll("aaaaa", "b", "c")
		c.edit(&in)
		_, err := s.CompleteUpload(ctx, "b", "k", id, in)
		if c.want != nil && !errors.Is(err, c.want) || c.want == nil && !errors.As(err, &small) {
			t.Errorf("%s: %v", name, err)
		}
	}
	in := completeAll("aaaaa", "b", "c")
	in.PartMin, in.Parts = 5, []blob.CompletedPart{in.Parts[0], in.Parts[2]}
	o, err := s.CompleteUpload(ctx, "b", "k", id, in)
	if err != nil || o.Size != 6 || get(t, s, "b", "k") != "aaaaac" {
		t.Errorf("at the limit: %+v, %v", o, err)
	}
}

func TestAbort(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	id := uploadParts(t, s, "k", "a", "b")
	must(t, s.AbortUpload(ctx, "b", "k", id))
	if err := s.AbortUpload(ctx, "b", "k", id); !errors.Is(err, blob.ErrNoSuchUpload) {
		t.Error(err)
	}
	if _, err := s.UploadPart(ctx, "b", "k", id, 1, blob.PutInput{Body: strings.NewReader("x")}); !errors.Is(err, blob.ErrNoSuchUpload) {
		t.Error(err)
	}
	if n := contentFiles(t, s); n != 0 {
		t.Errorf("%d files left", n)
	}
}

func TestCopyShares(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	o := put(t, s, "k", "hello")
	keep := func(o blob.Object) (blob.Attributes, error) { return o.Attributes, nil }
	for _, key := range []string{"c1", "c2", "k"} {
		c, err := s.Copy(ctx, blob.Source{Bucket: "b", Key: "k"}, "b", key, blob.CopyInput{Attributes: keep})
		must(t, err)
		if c.ETag != o.ETag || c.ID == o.ID || get(t, s, "b", key) != "hello" {
			t.Errorf("%+v", c)
		}
	}
	if n := contentFiles(t, s); n != 1 {
		t.Errorf("%d files for one content", n)
	}
	must(t, s.Delete(ctx, "b", "k", blob.Condition{}))
	must(t, s.Delete(ctx, "b", "c1", blob.Condition{}))
	if n := contentFiles(t, s); n != 1 || get(t, s, "b", "c2") != "hello" {
		t.Errorf("deleting one copy harmed another")
	}
	withSum, err := s.Copy(ctx, blob.Source{Bucket: "b", Key: "c2"}, "b", "c3", blob.CopyInput{Attributes: keep, Algorithm: blob.SHA1})
	if err != nil || withSum.Checksum.Value != "qvTGHdzF6KLavt4PO0gs2a6pQ00=" {
		t.Errorf("%+v %v", withSum, err)
	}
	boom := errors.New("boom")
	_, err = s.Copy(ctx, blob.Source{Bucket: "b", Key: "c2", Check: func(blob.Object) error { return boom }}, "b", "x", blob.CopyInput{Attributes: keep})
	if !errors.Is(err, boom) {
		t.Error(err)
	}
	must(t, s.DeleteMany(ctx, "b", []string{"c2", "c3", "none"}))
	if n := contentFiles(t, s); n != 0 {
		t.Errorf("%d files left", n)
	}
}

func TestUploadPartCopy(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	put(t, s, "src", "0123456789")
	up, err := s.CreateUpload(ctx, blob.Upload{Bucket: "b", Key: "k"})
	must(t, err)
	for i, r := range []blob.Source{{First: 5, Length: 3}, {Length: -1}} {
		r.Bucket, r.Key = "b", "src"
		_, err := s.UploadPartCopy(ctx, r, "b", "k", up.ID, i+1)
		must(t, err)
	}
	must(t, s.Delete(ctx, "b", "src", blob.Condition{}))
	o, err := s.CompleteUpload(ctx, "b", "k", up.ID, completeAll("567", "0123456789"))
	must(t, err)
	if get(t, s, "b", "k") != "5670123456789" {
		t.Errorf("%+v", o)
	}
	keep := func(o blob.Object) (blob.Attributes, error) { return o.Attributes, nil }
	c, err := s.Copy(ctx, blob.Source{Bucket: "b", Key: "k"}, "b", "c", blob.CopyInput{Attributes: keep})
	if err != nil || c.ETag != md5Of("5670123456789") || get(t, s, "b", "c") != "5670123456789" {
		t.Errorf("a copy of a multipart object: %+v, %v", c, err)
	}
	if n := contentFiles(t, s); n != 1 {
		t.Errorf("%d files for one content", n)
	}
}

// What is being read stays, although the key is overwritten and deleted meanwhile.
func TestReadersKeepTheirBytes(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	put(t, s, "k", "old")
	_, r, err := s.Open(ctx, "b", "k")
	must(t, err)
	put(t, s, "k", "new")
	must(t, s.Delete(ctx, "b", "k", blob.Condition{}))
	if n := contentFiles(t, s); n != 1 {
		t.Errorf("%d files while one is read", n)
	}
	b, err := io.ReadAll(r)
	if err != nil || string(b) != "old" {
		t.Errorf("%q, %v", b, err)
	}
	must(t, r.Close())
	must(t, r.Close())
	if n := contentFiles(t, s); n != 0 {
		t.Errorf("%d files after the last reader", n)
	}
}

func TestConcurrentOverwriteAndRead(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	bodies := []string{strings.Repeat("a", 3000), strings.Repeat("b", 5000)}
	put(t, s, "k", bodies[0])
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 20 {
				if i%2 == 0 {
					put(t, s, "k", bodies[i/2])
				} else if got := get(t, s, "b", "k"); got != bodies[0] && got != bodies[1] {
					t.Errorf("read %d bytes of neither", len(got))
				}
			}
		})
	}
	wg.Wait()
	if n := contentFiles(t, s); n != 1 {
		t.Errorf("%d files for one object", n)
	}
}

func TestBuckets(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	must(t, s.CreateBucket(ctx, "ba", []blob.Tag{{Key: "x", Value: "y"}}))
	if err := s.CreateBucket(ctx, "b", nil); !errors.Is(err, blob.ErrBucketExists) {
		t.Error(err)
	}
	all, err := s.ListBuckets(ctx, "", "", 10)
	if err != nil || len(all) != 2 || all[0].Name != "b" {
		t.Errorf("%v %v", all, err)
	}
	some, err := s.ListBuckets(ctx, "ba", "b", 10)
	if err != nil || len(some) != 1 {
		t.Errorf("%v %v", some, err)
	}
	put(t, s, "k", "x")
	uploadParts(t, s, "u", "part")
	if err := s.DeleteBucket(ctx, "b"); !errors.Is(err, blob.ErrBucketNotEmpty) {
		t.Error(err)
	}
	must(t, s.Delete(ctx, "b", "k", blob.Condition{}))
	must(t, s.DeleteBucket(ctx, "b"))
	if err := s.DeleteBucket(ctx, "b"); !errors.Is(err, blob.ErrNoSuchBucket) {
		t.Error(err)
	}
	if n := contentFiles(t, s); n != 0 {
		t.Errorf("%d files left", n)
	}
	must(t, s.SetBucketTags(ctx, "ba", nil))
	b, err := s.HeadBucket(ctx, "ba")
	if err != nil || len(b.Tags) != 0 {
		t.Errorf("%+v %v", b, err)
	}
	for _, err := range []error{
		s.Delete(ctx, "b", "k", blob.Condition{}), s.SetTags(ctx, "b", "k", nil), s.SetBucketTags(ctx, "b", nil), s.DeleteMany(ctx, "b", []string{"k"}),
	} {
		if !errors.Is(err, blob.ErrNoSuchBucket) {
			t.Error(err)
		}
	}
}

func TestSetTags(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	put(t, s, "k", "body")
	must(t, s.SetTags(ctx, "b", "k", []blob.Tag{{Key: "a", Value: "1"}}))
	o, err := s.Head(ctx, "b", "k")
	if err != nil || len(o.Tags) != 1 || get(t, s, "b", "k") != "body" {
		t.Errorf("%+v %v", o, err)
	}
	if err := s.SetTags(ctx, "b", "none", nil); !errors.Is(err, blob.ErrNoSuchKey) {
		t.Error(err)
	}
}

func TestDeleteConditions(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	o := put(t, s, "k", "body")
	if err := s.Delete(ctx, "b", "k", blob.Condition{ETag: "x"}); !errors.Is(err, blob.ErrPrecondition) {
		t.Error(err)
	}
	must(t, s.Delete(ctx, "b", "k", blob.Condition{ETag: o.ETag}))
	must(t, s.Delete(ctx, "b", "k", blob.Condition{}))
}

func TestObjects(t *testing.T) {
	t.Parallel()
	blobtest.Run(t, func(t testing.TB) outcrop.Objects {
		s := openStore(t, t.TempDir())
		t.Cleanup(func() { s.Close() })
		must(t, s.CreateBucket(ctx, blobtest.Bucket, nil))
		return s.Objects()
	})
}

func BenchmarkPut(b *testing.B) {
	for _, n := range []int{1 << 10, 1 << 20, 256 << 20} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := newStore(b)
			body := bytes.Repeat([]byte("x"), n)
			b.SetBytes(int64(n))
			for b.Loop() {
				_, err := s.Put(ctx, "b", "k", blob.PutInput{Body: bytes.NewReader(body), Algorithms: []blob.Algorithm{blob.CRC32}})
				must(b, err)
			}
		})
	}
}
