package disk

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"outcrop.dev/outcrop/data/blob"
)

// seed writes rows for keys, without bytes.
func seed(t testing.TB, s *Store, keys []string) {
	t.Helper()
	must(t, s.db.Update(ctx, func(tx *sql.Tx) error {
		for i, k := range keys {
			if err := insertObject(ctx, tx, blob.Object{Bucket: "b", Key: k, ID: fmt.Sprint(i), Modified: time.UnixMilli(1)}); err != nil {
				return err
			}
		}
		return nil
	}))
}

// walk lists everything, page by page, and returns keys and common prefixes in order.
func walk(t testing.TB, s *Store, q blob.ObjectQuery) (items []string) {
	t.Helper()
	for range 10_000 {
		page, err := s.ListObjects(ctx, "b", q)
		must(t, err)
		var got []string
		for _, o := range page.Objects {
			got = append(got, o.Key)
		}
		got = append(got, page.Prefixes...)
		slices.Sort(got)
		items = append(items, got...)
		if len(got) > q.Max || page.Truncated && len(got) < q.Max {
			t.Fatalf("a page of %d holds %d", q.Max, len(got))
		}
		if !page.Truncated {
			return items
		}
		q.After, q.AfterPrefix = page.Last, ""
		if page.LastIsPrefix {
			q.AfterPrefix = page.Last
		}
	}
	t.Fatal("the listing does not end")
	return nil
}

// wanted is the definition of a listing.
func wanted(keys []string, prefix, delimiter, after string) []string {
	set := map[string]bool{}
	for _, k := range keys {
		if !strings.HasPrefix(k, prefix) || k <= after && after != "" {
			continue
		}
		if i := strings.Index(k[len(prefix):], delimiter); delimiter != "" && i >= 0 {
			k = k[:len(prefix)+i+len(delimiter)]
		}
		set[k] = true
	}
	var out []string
	for k := range set {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func TestListObjectsAgainstDefinition(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	s := newStore(t)
	alphabet := []string{"a", "b", "/", "//", "\xff", "ü", "0"}
	set := map[string]bool{"a": true, "a/b": true, "\xff": true, "\xff\xff": true, "\xff/": true}
	for len(set) < 300 {
		var k string
		for range 1 + r.IntN(5) {
			k += alphabet[r.IntN(len(alphabet))]
		}
		set[k] = true
	}
	var keys []string
	for k := range set {
		keys = append(keys, k)
	}
	seed(t, s, keys)
	for _, prefix := range []string{"", "a", "a/", "/", "\xff", "none", "ü"} {
		for _, delimiter := range []string{"", "/", "//", "b", "\xff"} {
			for _, after := range []string{"", "a", "a0", "zzz", "\xff"} {
				for _, max := range []int{1, 2, 7, 1000} {
					got := walk(t, s, blob.ObjectQuery{Prefix: prefix, Delimiter: delimiter, After: after, Max: max})
					if want := wanted(keys, prefix, delimiter, after); !slices.Equal(got, want) {
						t.Fatalf("prefix %q delimiter %q after %q max %d:\n got %q\nwant %q", prefix, delimiter, after, max, got, want)
					}
				}
			}
		}
	}
	if page, err := s.ListObjects(ctx, "b", blob.ObjectQuery{Max: 0}); err != nil || page.Truncated || len(page.Objects) > 0 {
		t.Errorf("a page of none: %+v %v", page, err)
	}
}

func TestListUploads(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	var want []string
	for _, key := range []string{"a", "a", "d/1", "d/2", "e"} {
		up, err := s.CreateUpload(ctx, blob.Upload{Bucket: "b", Key: key})
		must(t, err)
		want = append(want, key+up.ID)
	}
	slices.Sort(want)
	for max := 1; max < 7; max++ {
		var got []string
		q := blob.UploadQuery{Max: max}
		for {
			page, err := s.ListUploads(ctx, "b", q)
			must(t, err)
			for _, u := range page.Uploads {
				got = append(got, u.Key+u.ID)
			}
			if q.AfterKey, q.AfterID = page.LastKey, page.LastID; !page.Truncated {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("pages of %d: %q, want %q", max, got, want)
		}
	}
	var got []string
	q := blob.UploadQuery{Delimiter: "/", Max: 1}
	for range 10 {
		page, err := s.ListUploads(ctx, "b", q)
		must(t, err)
		for _, u := range page.Uploads {
			got = append(got, u.Key)
		}
		got = append(got, page.Prefixes...)
		if q.AfterKey, q.AfterID = page.LastKey, page.LastID; !page.Truncated {
			break
		}
	}
	if !slices.Equal(got, []string{"a", "a", "d/", "e"}) {
		t.Errorf("with a delimiter: %q", got)
	}
}

// A page costs the same in a bucket of 100,000 keys, most of them behind common prefixes.
func BenchmarkListObjects(b *testing.B) {
	s := newStore(b)
	var keys []string
	for i := range 100_000 {
		keys = append(keys, fmt.Sprintf("dir%02d/file%06d", i%50, i))
	}
	seed(b, s, keys)
	for name, q := range map[string]blob.ObjectQuery{
		"flat":      {Max: 1000},
		"delimiter": {Delimiter: "/", Max: 1000},
		"one":       {Prefix: "dir25/", Max: 1},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_, err := s.ListObjects(ctx, "b", q)
				must(b, err)
			}
		})
	}
	b.Run("all", func(b *testing.B) {
		for b.Loop() {
			if n := len(walk(b, s, blob.ObjectQuery{Max: 1000})); n != len(keys) {
				b.Fatalf("%d of %d keys", n, len(keys))
			}
		}
	})
}
