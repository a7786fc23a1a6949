package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"

	"outcrop.dev/outcrop/data/meter"
)

// Streams that are live when the server stops end with an exception that says so, and every token
// is metered.
func TestStopEndsStreams(t *testing.T) {
	t.Parallel()
	s, err := New(t.Context(), Config{DataDir: t.TempDir(), Listen: "127.0.0.1:0", Threads: 1, RootKey: testKey})
	if err != nil {
		t.Fatal(err)
	}
	s.shutdownTimeout = 10 * time.Millisecond
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	url := s.URL()
	client := func() *bedrockruntime.Client { // each for one stream: the SDK's streams of one client race
		return bedrockruntime.New(bedrockruntime.Options{
			Region: "us-east-1", BaseEndpoint: &url, RetryMaxAttempts: 1,
			Credentials: credentials.NewStaticCredentialsProvider(testKey.AccessKeyID, testKey.SecretAccessKey, ""),
			HTTPClient:  &http.Client{Transport: &http.Transport{}},
		})
	}
	const n = 8
	streams := make([]*bedrockruntime.InvokeModelWithResponseStreamEventStream, n)
	for i := range streams {
		out, err := client().InvokeModelWithResponseStream(t.Context(), &bedrockruntime.InvokeModelWithResponseStreamInput{
			ModelId: aws.String("amazon.titan-text-express-v1"),
			Body:    []byte(`{"inputText":"Write a long story.","textGenerationConfig":{"maxTokenCount":4000,"temperature":1}}`),
		})
		if err != nil {
			t.Fatal(err)
		}
		streams[i] = out.GetStream()
	}
	for _, stream := range streams {
		<-stream.Events()
	}
	stop()
	told := 0
	for i, stream := range streams {
		for range stream.Events() { // what is on its way
		}
		var unavailable *types.ServiceUnavailableException
		if err := stream.Err(); errors.As(err, &unavailable) {
			told++
		} else if err != nil {
			t.Errorf("stream %d: %v", i, err)
		}
		stream.Close()
	}
	if told == 0 {
		t.Error("all streams came to their end: none was live")
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	m, err := meter.Open(t.Context(), filepath.Join(s.DataDir(), usageFile), nil, s.cfg.Log)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	totals, err := m.Totals(t.Context(), meter.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	var events int64
	for _, total := range totals {
		events += total.Events
	}
	if events != n {
		t.Errorf("%d of %d streams are metered", events, n)
	}
}

// Before the port closes the server says that it is not ready, and answers all the rest.
func TestDrainDelay(t *testing.T) {
	t.Parallel()
	s, err := New(t.Context(), Config{DataDir: t.TempDir(), Listen: "127.0.0.1:0", Threads: 1, DrainDelay: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	ask := func(path string) (status int) {
		resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(s.URL() + path)
		if err != nil {
			return 0
		}
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, resp.Body)
		return resp.StatusCode
	}
	if got := ask(pathReady); got != http.StatusOK {
		t.Fatalf("at first: %d", got)
	}
	stop()
	waitFor(t, "not ready", func() bool { return ask(pathReady) == http.StatusServiceUnavailable })
	if got := ask(pathHealth); got != http.StatusOK {
		t.Errorf("healthy while it drains: %d", got)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got := ask(pathReady); got != 0 {
		t.Errorf("after the end: %d", got)
	}
}
