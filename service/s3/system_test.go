package s3_test

import (
	"fmt"
	"strings"
	"testing"

	"log/slog"
	"net"
	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/internal/s3test"
)

// TestSystemBucketIsOutOfReach: no method, no sub-resource, no form of address and no copy reaches the
// system's bucket.
func TestSystemBucketIsOutOfReach(t *testing.T) {
	t.Parallel()
	h, store, err := s3test.Handler(ctx, t.TempDir(), slog.New(slog.DiscardHandler))
	must(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	server := s3test.Server(h)
	go server.Serve(l)
	t.Cleanup(func() { server.Close(); store.Close() })
	address := l.Addr().String()
	_ = bodyOf(t, signed(t, address, "PUT", "/bucket", "", "", nil))
	_ = bodyOf(t, signed(t, address, "PUT", "/bucket/k", "", "secret", nil))
	_, err = store.Objects().Copy(ctx, "bucket", "k", outcrop.SystemBucket, "blobs/x")
	must(t, err)

	for _, method := range []string{"GET", "HEAD", "PUT", "POST", "DELETE"} {
		for _, sub := range append([]string{""}, "?acl", "?tagging", "?attributes", "?uploads", "?uploadId=u", "?list-type=2", "?versions", "?location", "?delete", "?policy") {
			for _, path := range []string{"/.outcrop", "/.outcrop/", "/.outcrop/blobs/x", "/%2Eoutcrop/blobs/x", "//.outcrop/blobs/x"} {
				r := signed(t, address, method, path+sub, "", "", nil)
				if body := bodyOf(t, r); r.StatusCode < 400 || strings.Contains(body, "secret") {
					t.Errorf("%s %s%s: %s %s", method, path, sub, r.Status, body)
				}
			}
		}
	}
	for _, source := range []string{".outcrop/blobs/x", "/.outcrop/blobs/x", "%2Eoutcrop/blobs/x"} {
		for _, target := range []string{"/bucket/copy", "/bucket/copy?uploadId=u&partNumber=1"} {
			r := signed(t, address, "PUT", target, "", "", map[string]string{"X-Amz-Copy-Source": source})
			if r.StatusCode < 400 {
				t.Errorf("copy of %s to %s: %s", source, target, r.Status)
			}
		}
	}
	if r := signed(t, address, "GET", "/", "", "", nil); strings.Contains(bodyOf(t, r), "outcrop") {
		t.Error("the list of buckets has it")
	}
	if info, err := store.Objects().Head(ctx, outcrop.SystemBucket, "blobs/x"); err != nil || info.Size != int64(len("secret")) {
		t.Errorf("what was kept: %s", fmt.Sprint(info, err))
	}
}
