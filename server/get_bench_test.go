package server_test

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// BenchmarkGetObject reads objects through the whole server, by a presigned URL. What it takes of the
// processor, server and client together, is a figure of its own: it is steadier on a busy machine.
func BenchmarkGetObject(b *testing.B) {
	s := start(b)
	c := s3.NewFromConfig(config(s, s.RootKey(), http1()))
	if _, err := c.CreateBucket(b.Context(), &s3.CreateBucketInput{Bucket: aws.String("bucket")}); err != nil {
		b.Fatal(err)
	}
	for _, n := range []int{1 << 10, 1 << 20, 64 << 20} {
		key := aws.String(strconv.Itoa(n))
		if _, err := c.PutObject(b.Context(), &s3.PutObjectInput{Bucket: aws.String("bucket"), Key: key, Body: bytes.NewReader(bytes.Repeat([]byte("x"), n))}); err != nil {
			b.Fatal(err)
		}
		url, err := s3.NewPresignClient(c).PresignGetObject(b.Context(), &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: key}, s3.WithPresignExpires(time.Hour))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(*key, func(b *testing.B) {
			b.SetBytes(int64(n))
			began := processorTime(b)
			defer func() { b.ReportMetric(float64(processorTime(b)-began)/float64(b.N), "cpu-ns/op") }()
			for b.Loop() {
				r, err := http.Get(url.URL)
				if err != nil {
					b.Fatal(err)
				}
				got, err := io.Copy(io.Discard, r.Body)
				r.Body.Close()
				if err != nil || got != int64(n) {
					b.Fatal(got, err)
				}
			}
		})
	}
}

// processorTime is what this process has taken of the processor, in nanoseconds.
func processorTime(b *testing.B) int64 {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return used.Utime.Nano() + used.Stime.Nano()
}
