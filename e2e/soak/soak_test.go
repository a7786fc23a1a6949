package soak

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrock"
	"github.com/aws/aws-sdk-go-v2/service/bedrock/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"outcrop.dev/outcrop/e2e/harness"
)

var hours = flag.Float64("hours", 0, "how long to soak; 0 leaves it out")

const (
	sampleEvery = 5 * time.Second
	// warmUp is how long memory may grow, at most a third of the whole.
	warmUp = 20 * time.Minute
	// slopeMax is by how many MiB an hour it may grow after that; shorter runs than slopeNeeds only
	// report it, because a job more or less is some MiB.
	slopeMax   = 1.0
	slopeNeeds = 2 * time.Hour
	// soakClients ask at once.
	soakClients = 4
)

// TestSoak trains, answers, and keeps objects for hours. No request fails, memory does not grow, and
// nothing is left behind.
func TestSoak(t *testing.T) {
	if *hours == 0 {
		t.Skip("SKIPPED, it takes hours: make soak HOURS=8")
	}
	s := harness.Start(t, bin, t.TempDir())
	length := time.Duration(*hours * float64(time.Hour))
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	var done counts
	var group sync.WaitGroup
	group.Go(func() { done.jobs(ctx, t, s) })
	group.Go(func() { done.objects(ctx, t, s) })
	for range soakClients {
		group.Go(func() { done.answers(ctx, t, s) })
	}
	var samples []sample
	for began := time.Now(); ctx.Err() == nil; {
		select {
		case <-ctx.Done():
		case <-time.After(sampleEvery):
			samples = append(samples, sample{time.Since(began), s.Resident()})
		}
	}
	group.Wait()
	after := min(warmUp, length/3)
	growth := slope(samples, after)
	t.Logf("%d jobs, %d answers, %d objects in %v; memory %.0f MiB in the end, slope %+.2f MiB/h after %v (%d samples)",
		done.job.Load(), done.answer.Load(), done.object.Load(), length, samples[len(samples)-1].mib, growth, after, len(samples))
	if growth > slopeMax && length >= slopeNeeds {
		t.Errorf("memory grows by %.2f MiB an hour", growth)
	}
	leftBehind(t, s)
}

type counts struct{ job, answer, object atomic.Int64 }

func (c *counts) jobs(ctx context.Context, t *testing.T, s *harness.Server) {
	client := bedrock.NewFromConfig(s.Config())
	for n := 0; ctx.Err() == nil; n++ {
		tuning := harness.Tuning{Name: fmt.Sprint("soak-", n), Base: "outcrop.pebble-v1", Rows: 200, Validation: 8, Epochs: 1, Batch: 8, LearningRate: "0.0005"}
		job, err := harness.AwaitJob(t.Context(), s, tuning.Create(t, s), 10*time.Minute)
		if err != nil || job.Status != types.ModelCustomizationJobStatusCompleted {
			t.Errorf("job %d: %v, %+v", n, err, job)
			return
		}
		if _, err := client.DeleteCustomModel(t.Context(), &bedrock.DeleteCustomModelInput{ModelIdentifier: job.OutputModelArn}); err != nil {
			t.Error(err)
		}
		c.job.Add(1)
	}
}

func (c *counts) answers(ctx context.Context, t *testing.T, s *harness.Server) {
	client := &http.Client{Transport: &http.Transport{}}
	for ctx.Err() == nil {
		if status := invoke(t.Context(), s, client, false); status != "200" {
			t.Errorf("an answer: %s", status)
		}
		c.answer.Add(1)
	}
}

func (c *counts) objects(ctx context.Context, t *testing.T, s *harness.Server) {
	client, bucket := harness.S3(s.Config()), aws.String("soak-objects")
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: bucket}); err != nil {
		t.Error(err)
		return
	}
	body := bytes.Repeat([]byte("soak"), 64<<10)
	for n := 0; ctx.Err() == nil; n++ {
		key := aws.String(fmt.Sprint("k", n%100))
		_, put := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: key, Body: bytes.NewReader(body)})
		out, get := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: key})
		if get == nil {
			var b bytes.Buffer
			_, get = b.ReadFrom(out.Body)
			if out.Body.Close(); !bytes.Equal(b.Bytes(), body) {
				t.Errorf("object %d has other bytes", n)
			}
		}
		var remove error
		if n%2 == 0 {
			_, remove = client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: bucket, Key: key})
		}
		if err := errors.Join(put, get, remove); err != nil {
			t.Error(err)
		}
		c.object.Add(1)
		time.Sleep(20 * time.Millisecond) // as much as a busy user, and not what a disk can bear
	}
}

type sample struct {
	at  time.Duration
	mib float64
}

// slope is by how many MiB an hour memory grows after a while: least squares.
func slope(samples []sample, after time.Duration) float64 {
	var n, x, y, xx, xy float64
	for _, s := range samples {
		if s.at >= after {
			h := s.at.Hours()
			n, x, y, xx, xy = n+1, x+h, y+s.mib, xx+h*h, xy+h*s.mib
		}
	}
	if n < 2 {
		return 0
	}
	return (n*xy - x*y) / (n*xx - x*x)
}

// TestSlope: the line through points on a line is that line, whatever was before.
func TestSlope(t *testing.T) {
	t.Parallel()
	samples := []sample{{0, 900}}
	for i := range 10 {
		at := time.Hour + time.Duration(i)*time.Minute
		samples = append(samples, sample{at, 100 + 3*at.Hours()})
	}
	if got := slope(samples, time.Hour); got < 2.999 || got > 3.001 {
		t.Errorf("%g MiB/h, want 3", got)
	}
}

// leftBehind looks for files in the directories of what is under way.
func leftBehind(t *testing.T, s *harness.Server) {
	t.Helper()
	for _, dir := range []string{"scratch", filepath.Join("s3", "tmp"), "tmp"} {
		err := filepath.WalkDir(filepath.Join(s.Dir, dir), func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				t.Errorf("%s is left", path)
			}
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	}
}
