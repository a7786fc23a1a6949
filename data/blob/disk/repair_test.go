package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"outcrop.dev/outcrop/data/blob"
	"outcrop.dev/outcrop/internal/lost"
	"outcrop.dev/outcrop/internal/sqlitedb"
)

// fillStore makes an object of every sort.
func fillStore(t testing.TB, s *Store) {
	t.Helper()
	must(t, s.CreateBucket(ctx, "b", nil))
	must(t, s.CreateBucket(ctx, "tagged", []blob.Tag{{Key: "a", Value: "1"}}))
	must(t, s.SetBucketTags(ctx, "tagged", []blob.Tag{{Key: "a", Value: "2"}}))
	must(t, s.CreateBucket(ctx, "gone", nil))
	must(t, s.DeleteBucket(ctx, "gone"))
	_, err := s.Put(ctx, "b", "all", blob.PutInput{Body: strings.NewReader("attributes"), Attributes: blob.Attributes{
		Headers: map[string]string{"Content-Type": "text/plain"}, Metadata: map[string]string{"a": "ü"}, Tags: []blob.Tag{{Key: "k", Value: "v"}},
	}})
	must(t, err)
	put(t, s, "../\xff\x00", "a key that is no text")
	put(t, s, "empty", "")
	put(t, s, "tags", "tagged later")
	must(t, s.SetTags(ctx, "b", "tags", []blob.Tag{{Key: "late", Value: "1"}}))
	put(t, s, "twice", "old")
	put(t, s, "twice", "new")
	put(t, s, "deleted", "deleted")
	must(t, s.Delete(ctx, "b", "deleted", blob.Condition{}))
	put(t, s, "empty-deleted", "")
	must(t, s.Delete(ctx, "b", "empty-deleted", blob.Condition{}))
	big := strings.Repeat("0123456789", blockBytes/5)
	put(t, s, "big", big)
	_, err = s.Copy(ctx, blob.Source{Bucket: "b", Key: "big"}, "tagged", "copy", blob.CopyInput{Attributes: func(blob.Object) (blob.Attributes, error) {
		return blob.Attributes{Metadata: map[string]string{"copied": "yes"}}, nil
	}})
	must(t, err)
	up, err := s.CreateUpload(ctx, blob.Upload{Bucket: "b", Key: "parts", Attributes: blob.Attributes{Metadata: map[string]string{"m": "1"}}})
	must(t, err)
	for i, body := range []string{big[:100], "unused", ""} {
		_, err = s.UploadPart(ctx, "b", "parts", up.ID, i+1, blob.PutInput{Body: strings.NewReader(body)})
		must(t, err)
	}
	_, err = s.UploadPartCopy(ctx, blob.Source{Bucket: "b", Key: "big", First: blockBytes - 5, Length: 10}, "b", "parts", up.ID, 2)
	must(t, err)
	_, err = s.CompleteUpload(ctx, "b", "parts", up.ID, completeAll(big[:100], big[blockBytes-5:blockBytes+5], ""))
	must(t, err)
}

// describeStore tells all that a client can find out.
func describeStore(t testing.TB, s *Store) string {
	t.Helper()
	var all []string
	buckets, err := s.ListBuckets(ctx, "", "", 100)
	must(t, err)
	for _, b := range buckets {
		b, err := s.HeadBucket(ctx, b.Name)
		must(t, err)
		all = append(all, fmt.Sprintf("bucket %+v", b))
		page, err := s.ListObjects(ctx, b.Name, blob.ObjectQuery{Max: 1000})
		must(t, err)
		for _, o := range page.Objects {
			o, err := s.Head(ctx, b.Name, o.Key)
			must(t, err)
			parts, err := s.ListObjectParts(ctx, o, 0, 100)
			must(t, err)
			all = append(all, fmt.Sprintf("object %+q %+v %+v %s", o.Key, o, parts, md5Of(get(t, s, b.Name, o.Key))))
		}
	}
	return strings.Join(all, "\n")
}

// The index is made anew from what lies beside it: all is as it was, for a store of ours, and for one
// of an older program that was opened once.
func TestRepair(t *testing.T) {
	t.Parallel()
	for _, older := range []bool{false, true} {
		t.Run(fmt.Sprint("older=", older), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := openStore(t, dir)
			fillStore(t, s)
			contentFiles(t, s)
			if older {
				files, err := filesOf(ctx, s.db.Reader, "SELECT DISTINCT file FROM segments")
				must(t, err)
				for _, file := range files {
					asBefore(t, s, file)
				}
				must(t, s.Close())
				must(t, os.RemoveAll(filepath.Join(dir, "notes")))
				s = openStore(t, dir)
				must(t, s.SetTags(ctx, "b", "all", nil)) // a note of now goes before one of the beginning
			}
			up, err := s.CreateUpload(ctx, blob.Upload{Bucket: "b", Key: "never"})
			must(t, err)
			_, err = s.UploadPart(ctx, "b", "never", up.ID, 1, blob.PutInput{Body: strings.NewReader("never completed")})
			must(t, err)
			want := describeStore(t, s)
			must(t, s.Close())

			if r, err := Repair(ctx, dir, testOptions()); err != nil || !r.Good {
				t.Errorf("an index that is good: %+v, %v", r, err)
			}
			must(t, os.WriteFile(filepath.Join(dir, "index.db"), []byte("garbage, and not a little of it"), 0o600))
			r, err := Repair(ctx, dir, testOptions())
			if err != nil || r.Good || r.Buckets != 2 || r.Objects != 8 || r.Unnamed != 1 {
				t.Fatalf("%+v, %v", r, err)
			}
			s = openStore(t, dir)
			if got := describeStore(t, s); got != want {
				t.Errorf("repaired:\n%s\nwas:\n%s", got, want)
			}
			contentFiles(t, s)
			must(t, s.Close())
			items, err := lost.List(filepath.Join(dir, lost.Name))
			if err != nil || len(items) != 3 { // the index, its mark, the part
				t.Errorf("lost+found: %+v, %v", items, err)
			}
			r2, err := Scrub(ctx, dir, testOptions())
			if err != nil || len(r2.Damaged) != 0 {
				t.Errorf("%+v, %v", r2, err)
			}
		})
	}
}

// A repair that cannot write leaves the index where it is.
func TestRepairFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openStore(t, dir)
	fillStore(t, s)
	must(t, s.Close())
	index := filepath.Join(dir, "index.db")
	must(t, os.Truncate(index, 0))
	must(t, os.MkdirAll(filepath.Join(index+".tmp", "in-the-way"), 0o700))
	if _, err := Repair(ctx, dir, testOptions()); err == nil {
		t.Fatal("a folder was taken for an index")
	}
	if !exists(index) || !exists(index+sqlitedb.MarkSuffix) {
		t.Error("the index is not where it was")
	}
	if _, err := Open(ctx, dir, testOptions()); !errors.Is(err, sqlitedb.ErrMissing) {
		t.Errorf("opened: %v", err)
	}
}
