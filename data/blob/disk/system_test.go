package disk

import (
	"errors"
	"path/filepath"
	"testing"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/blob"
)

// TestSystemBucket: it is made when something is kept there, has its bytes in common with what they
// came from, and is in no list of buckets.
func TestSystemBucket(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	put(t, s, "k", "body")
	if _, err := s.Objects().Copy(ctx, "b", "none", outcrop.SystemBucket, "k"); outcrop.CodeOf(err) != outcrop.CodeNotFound {
		t.Errorf("a copy of nothing: %v", err)
	}
	for _, key := range []string{"one", "two"} {
		if _, err := s.Objects().Copy(ctx, "b", "k", outcrop.SystemBucket, key); err != nil {
			t.Fatal(err)
		}
	}
	if files, err := filepath.Glob(filepath.Join(s.dir, "data", "*", "*")); err != nil || len(files) != 1 {
		t.Errorf("%d files for one content, %v", len(files), err)
	}
	put(t, s, "z", "")
	must(t, s.CreateBucket(ctx, "a", nil))
	for _, prefix := range []string{"", "."} {
		all, err := s.ListBuckets(ctx, prefix, "", 10)
		must(t, err)
		for _, b := range all {
			if b.Name == outcrop.SystemBucket {
				t.Errorf("prefix %q: the list of buckets has the system's", prefix)
			}
		}
	}
	if _, err := s.Objects().Copy(ctx, "b", "k", "missing", "k"); outcrop.CodeOf(err) != outcrop.CodeNotFound {
		t.Errorf("a copy to no bucket: %v", err)
	}
	if _, err := s.HeadBucket(ctx, "missing"); !errors.Is(err, blob.ErrNoSuchBucket) {
		t.Errorf("a user's bucket was made: %v", err)
	}
}
