package server_test

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"outcrop.dev/outcrop/server"
)

// While a backup is made, objects are written over and deleted all the time: what it has is whole,
// and what was there before and not touched is in it.
func TestBackupBesideWrites(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := startIn(t, dir)
	c := s3.NewFromConfig(config(s, s.RootKey(), http1()))
	bucket := aws.String("bucket")
	if _, err := c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: bucket}); err != nil {
		t.Fatal(err)
	}
	write := func(key string) error {
		_, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: aws.String(key), Body: strings.NewReader(strings.Repeat(key, 1000))})
		return err
	}
	for i := range 20 {
		if err := write(fmt.Sprint("still", i)); err != nil {
			t.Fatal(err)
		}
	}
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			if err := write(fmt.Sprint("moving", i%3)); err != nil {
				done <- err
				return
			}
			if _, err := c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: bucket, Key: aws.String(fmt.Sprint("moving", (i+1)%3))}); err != nil {
				done <- err
				return
			}
		}
	}()
	log := slog.New(slog.DiscardHandler)
	var last string
	for i := range 3 {
		last = filepath.Join(t.TempDir(), fmt.Sprint(i))
		r, err := server.Backup(t.Context(), dir, last, time.Now, log)
		if err != nil || len(r.Damaged) > 0 {
			t.Errorf("%+v, %v", r, err)
		}
	}
	close(stop)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	restored := filepath.Join(t.TempDir(), "restored")
	if r, err := server.Restore(t.Context(), last, restored, time.Now, log); err != nil || len(r.Damaged) > 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	again := startIn(t, restored)
	c = s3.NewFromConfig(config(again, s.RootKey(), http1())) // the key is in it
	for i := range 20 {
		if _, err := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: bucket, Key: aws.String(fmt.Sprint("still", i))}); err != nil {
			t.Errorf("object %d: %v", i, err)
		}
	}
}
