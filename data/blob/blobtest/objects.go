// Package blobtest is the conformance suite that every outcrop.Objects passes, wherever it keeps
// the bytes.
//
//	func TestObjects(t *testing.T) {
//		blobtest.Run(t, func(t testing.TB) outcrop.Objects { … }) // with an empty bucket blobtest.Bucket
//	}
package blobtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/internal/suite"
)

// Bucket is the one bucket of what the suite tests. It is empty.
const Bucket = "bucket"

// Run runs the suite.
func Run(t *testing.T, open suite.Open[outcrop.Objects]) {
	t.Helper()
	cases.Run(t, open)
}

var cases = suite.Cases[outcrop.Objects]{
	"WhatIsPutIsThere":     testWhatIsPutIsThere,
	"Overwrite":            testOverwrite,
	"Missing":              testMissing,
	"Copy":                 testCopy,
	"Delete":               testDelete,
	"BodyFails":            testBodyFails,
	"KeysAreNoPaths":       testKeysAreNoPaths,
	"ListByDefinition":     testListByDefinition,
	"ListDescribes":        testListDescribes,
	"WholeOrNotAtAll":      testWholeOrNotAtAll,
	"CancelledContext":     testCancelledContext,
	"BytesOutliveTheirKey": testBytesOutliveTheirKey,
}

// put stores an object that has to succeed.
func put(t testing.TB, o outcrop.Objects, key, body string) outcrop.ObjectInfo {
	t.Helper()
	info, err := o.Put(t.Context(), Bucket, key, "text/plain", strings.NewReader(body))
	if err != nil {
		t.Fatalf("Put %q: %v", key, err)
	}
	return info
}

// get reads an object that has to be there.
func get(t testing.TB, o outcrop.Objects, key string) (string, outcrop.ObjectInfo) {
	t.Helper()
	r, info, err := o.Get(t.Context(), Bucket, key)
	if err != nil {
		t.Fatalf("Get %q: %v", key, err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("read %q: %v", key, err)
	}
	return string(b), info
}

func testWhatIsPutIsThere(t testing.TB, o outcrop.Objects) {
	for _, n := range []int{0, 1, 64<<10 - 1, 64 << 10, 1<<20 + 1} {
		body := strings.Repeat("x", n)
		info, err := o.Put(t.Context(), Bucket, "dir/k", "text/csv", iotest.HalfReader(strings.NewReader(body)))
		if err != nil {
			t.Fatalf("Put of %d bytes: %v", n, err)
		}
		if info.Bucket != Bucket || info.Key != "dir/k" || info.Size != int64(n) || info.ContentType != "text/csv" || info.LastModified.IsZero() {
			t.Errorf("%d bytes: %+v", n, info)
		}
		if len(info.ETag) < 3 || info.ETag[0] != '"' || info.ETag[len(info.ETag)-1] != '"' {
			t.Errorf("the tag %s is not quoted", info.ETag)
		}
		got, read := get(t, o, "dir/k")
		if got != body || !same(read, info) {
			t.Errorf("%d bytes came back as %d: %+v, put %+v", n, len(got), read, info)
		}
		if head, err := o.Head(t.Context(), Bucket, "dir/k"); err != nil || !same(head, info) {
			t.Errorf("Head %+v, %v; put %+v", head, err, info)
		}
	}
}

// same compares descriptions: a time may have another zone.
func same(a, b outcrop.ObjectInfo) bool {
	at := a.LastModified.Equal(b.LastModified)
	a.LastModified = b.LastModified
	return at && a == b
}

func testOverwrite(t testing.TB, o outcrop.Objects) {
	old := put(t, o, "k", "old")
	if again := put(t, o, "k", "old"); again.ETag != old.ETag {
		t.Errorf("the same bytes are %s and %s", old.ETag, again.ETag)
	}
	if now := put(t, o, "k", "newer"); now.ETag == old.ETag {
		t.Error("other bytes have the same tag")
	}
	if got, info := get(t, o, "k"); got != "newer" || info.Size != 5 {
		t.Errorf("%q, %+v", got, info)
	}
}

func testMissing(t testing.TB, o outcrop.Objects) {
	ctx := t.Context()
	put(t, o, "k", "body")
	if err := o.HeadBucket(ctx, Bucket); err != nil {
		t.Errorf("HeadBucket: %v", err)
	}
	_, headKey := o.Head(ctx, Bucket, "K")
	_, headBucket := o.Head(ctx, "none", "k")
	_, _, getKey := o.Get(ctx, Bucket, "k/")
	_, _, getBucket := o.Get(ctx, "none", "k")
	_, putBucket := o.Put(ctx, "none", "k", "", strings.NewReader("x"))
	_, listBucket := o.List(ctx, "none", "", "", 1)
	for what, err := range map[string]error{
		"Head of a key": headKey, "Head": headBucket, "Get of a key": getKey, "Get": getBucket, "Put": putBucket, "List": listBucket,
		"HeadBucket": o.HeadBucket(ctx, "none"), "Delete": o.Delete(ctx, "none", "k"),
	} {
		if outcrop.CodeOf(err) != outcrop.CodeNotFound {
			t.Errorf("%s: %v, want %s", what, err, outcrop.CodeNotFound)
		}
	}
}

// testCopy: a copy has the bytes of its time, whatever becomes of where they came from.
func testCopy(t testing.TB, o outcrop.Objects) {
	put(t, o, "from", "first")
	info, err := o.Copy(t.Context(), Bucket, "from", Bucket, "to")
	if err != nil || info.Key != "to" || info.Size != 5 {
		t.Fatalf("%+v, %v", info, err)
	}
	put(t, o, "from", "second")
	if body, info := get(t, o, "to"); body != "first" || info.ContentType != "text/plain" {
		t.Errorf("%q, %+v", body, info)
	}
	if err := o.Delete(t.Context(), Bucket, "from"); err != nil {
		t.Fatal(err)
	}
	if body, _ := get(t, o, "to"); body != "first" {
		t.Errorf("%q after the source was deleted", body)
	}
	for _, missing := range [][4]string{{Bucket, "none", Bucket, "to"}, {"nowhere", "to", Bucket, "x"}, {Bucket, "to", "nowhere", "x"}} {
		if _, err := o.Copy(t.Context(), missing[0], missing[1], missing[2], missing[3]); outcrop.CodeOf(err) != outcrop.CodeNotFound {
			t.Errorf("%q: %v", missing, err)
		}
	}
}

func testDelete(t testing.TB, o outcrop.Objects) {
	put(t, o, "k", "body")
	put(t, o, "k2", "body")
	for range 2 { // a missing key is no error
		if err := o.Delete(t.Context(), Bucket, "k"); err != nil {
			t.Errorf("Delete: %v", err)
		}
	}
	if _, err := o.Head(t.Context(), Bucket, "k"); outcrop.CodeOf(err) != outcrop.CodeNotFound {
		t.Errorf("Head of what was deleted: %v", err)
	}
	if got, _ := get(t, o, "k2"); got != "body" {
		t.Errorf("its neighbour is %q", got)
	}
}

// testBodyFails: what could not be read to its end leaves no trace.
func testBodyFails(t testing.TB, o outcrop.Objects) {
	boom := errors.New("boom")
	put(t, o, "k", "old")
	for _, key := range []string{"k", "new"} {
		body := io.MultiReader(strings.NewReader("half"), iotest.ErrReader(boom))
		if _, err := o.Put(t.Context(), Bucket, key, "", body); !errors.Is(err, boom) {
			t.Errorf("Put of a body that fails: %v", err)
		}
	}
	if got, _ := get(t, o, "k"); got != "old" {
		t.Errorf("a put that failed left %q", got)
	}
	if _, err := o.Head(t.Context(), Bucket, "new"); outcrop.CodeOf(err) != outcrop.CodeNotFound {
		t.Errorf("a put that failed left an object: %v", err)
	}
}

func testKeysAreNoPaths(t testing.TB, o outcrop.Objects) {
	keys := []string{"a", "a/", "a/b", "a//b", "/", "..", "../..", "../../etc/passwd", ".", "A", " ", "%2F", "a\\b", "ü", "u\u0308", "a\nb",
		strings.Repeat("k", 1024)}
	for _, k := range keys {
		put(t, o, k, "body of "+k)
	}
	for _, k := range keys {
		if got, info := get(t, o, k); got != "body of "+k || info.Key != k {
			t.Errorf("key %q holds %q", k, got)
		}
	}
}

func testListByDefinition(t testing.TB, o outcrop.Objects) {
	keys := []string{"a", "a/", "a/1", "a/2", "a/b/1", "ab", "b", "b/1", "ü", "Z"}
	for _, k := range keys {
		put(t, o, k, k)
	}
	slices.Sort(keys)
	for _, prefix := range []string{"", "a", "a/", "none", "ü"} {
		for _, after := range []string{"", "a", "a/1", "a0", "zzz"} {
			for _, limit := range []int{0, 1, 3, len(keys), 1000} {
				var want []string
				for _, k := range keys {
					if strings.HasPrefix(k, prefix) && k > after && len(want) < limit {
						want = append(want, k)
					}
				}
				infos, err := o.List(t.Context(), Bucket, prefix, after, limit)
				var got []string
				for _, info := range infos {
					got = append(got, info.Key)
				}
				if err != nil || !slices.Equal(got, want) {
					t.Errorf("prefix %q after %q limit %d: %q, %v; want %q", prefix, after, limit, got, err, want)
				}
			}
		}
	}
}

func testListDescribes(t testing.TB, o outcrop.Objects) {
	put(t, o, "a", "first")
	want := put(t, o, "b", "second")
	infos, err := o.List(t.Context(), Bucket, "b", "", 10)
	if err != nil || len(infos) != 1 {
		t.Fatalf("List: %+v, %v", infos, err)
	}
	want.ContentType = infos[0].ContentType // S3 lists none
	if !same(infos[0], want) {
		t.Errorf("listed %+v, put %+v", infos[0], want)
	}
}

// testWholeOrNotAtAll: who reads while others write gets what one of them has written.
func testWholeOrNotAtAll(t testing.TB, o outcrop.Objects) {
	bodies := []string{strings.Repeat("a", 3000), strings.Repeat("b", 5000)}
	put(t, o, "k", bodies[0])
	var group sync.WaitGroup
	var bad sync.Map
	for i := range 4 {
		group.Go(func() {
			for range 10 {
				if err := writeOrRead(t.Context(), o, i, bodies); err != nil {
					bad.Store(err.Error(), true)
				}
			}
		})
	}
	group.Wait()
	for err := range bad.Range {
		t.Error(err)
	}
}

func writeOrRead(ctx context.Context, o outcrop.Objects, i int, bodies []string) error {
	if i%2 == 0 {
		_, err := o.Put(ctx, Bucket, "k", "", strings.NewReader(bodies[i/2]))
		return err
	}
	r, _, err := o.Get(ctx, Bucket, "k")
	if err != nil {
		return err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err == nil && !slices.Contains(bodies, string(b)) {
		err = fmt.Errorf("read %d bytes that nobody wrote", len(b))
	}
	return err
}

func testCancelledContext(t testing.TB, o outcrop.Objects) {
	put(t, o, "k", "old")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, putErr := o.Put(ctx, Bucket, "k", "", strings.NewReader("new"))
	_, _, getErr := o.Get(ctx, Bucket, "k")
	_, headErr := o.Head(ctx, Bucket, "k")
	_, listErr := o.List(ctx, Bucket, "", "", 1)
	for what, err := range map[string]error{"Put": putErr, "Get": getErr, "Head": headErr, "List": listErr} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s after the end of its context: %v", what, err)
		}
	}
	if got, _ := get(t, o, "k"); got != "old" {
		t.Errorf("a put that was cancelled left %q", got)
	}
}

// testBytesOutliveTheirKey: what is being read stays, although the key is overwritten and deleted.
func testBytesOutliveTheirKey(t testing.TB, o outcrop.Objects) {
	put(t, o, "k", "old")
	r, _, err := o.Get(t.Context(), Bucket, "k")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	put(t, o, "k", "new")
	if err := o.Delete(t.Context(), Bucket, "k"); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(r); err != nil || string(b) != "old" {
		t.Errorf("%q, %v", b, err)
	}
}
