package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/bedrock"
	"github.com/aws/aws-sdk-go-v2/service/bedrock/types"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"outcrop.dev/outcrop/e2e/harness"
)

// putRows stores at least so many rows and bytes, and last.
func putRows(t testing.TB, client *s3.Client, key string, rows, size int, last string) {
	t.Helper()
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(harness.Bucket)}); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	for n := 0; n < rows || b.Len() < size; n++ {
		fmt.Fprintf(&b, `{"prompt":"Summarize this note, number %d: a man of %d years, a cough since %d days.","completion":"Cough, %d days."}`+"\n", n, n%90, n%14, n%14)
	}
	b.WriteString(last)
	_, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(harness.Bucket), Key: aws.String(key), Body: bytes.NewReader(b.Bytes())})
	if err != nil {
		t.Fatal(err)
	}
}

// newJob is a request for a job on the data at a key.
func newJob(name, key string) *bedrock.CreateModelCustomizationJobInput {
	return &bedrock.CreateModelCustomizationJobInput{
		JobName: aws.String(name), CustomModelName: aws.String(name), BaseModelIdentifier: aws.String("outcrop.pebble-v1"),
		RoleArn:            aws.String("arn:aws:iam::123456789012:role/E2E"),
		TrainingDataConfig: &types.TrainingDataConfig{S3Uri: aws.String("s3://" + harness.Bucket + "/" + key)},
		OutputDataConfig:   &types.OutputDataConfig{S3Uri: aws.String("s3://" + harness.Bucket + "/output")},
	}
}

// invokeFor asks the model for a word, again and again, while more says so, and returns how long each
// answer took.
func invokeFor(t testing.TB, s *harness.Server, more func(n int) bool) (took []time.Duration) {
	runtime := bedrockruntime.NewFromConfig(s.Config())
	for more(len(took)) {
		began := time.Now()
		_, err := runtime.InvokeModel(t.Context(), &bedrockruntime.InvokeModelInput{
			ModelId: aws.String("outcrop.pebble-v1"), Body: []byte(`{"inputText":"Hello","textGenerationConfig":{"maxTokenCount":8,"temperature":0}}`),
		})
		if err != nil {
			t.Error(err)
			return took
		}
		took = append(took, time.Since(began))
	}
	return took
}

// BenchmarkInvokeBesideChecks creates 24 jobs on 96 MB each, at once, and asks a model meanwhile. The
// jobs are refused for their last row, so that nothing is trained: only the checks count.
func BenchmarkInvokeBesideChecks(b *testing.B) {
	const jobs, size = 24, 96 << 20
	s := harness.Start(b, bin, b.TempDir())
	client := harness.S3(s.Config())
	putRows(b, client, "data", 0, size, "no JSON")
	for i := range jobs {
		_, err := client.CopyObject(b.Context(), &s3.CopyObjectInput{
			Bucket: aws.String(harness.Bucket), Key: aws.String(fmt.Sprint("data-", i)), CopySource: aws.String(harness.Bucket + "/data"),
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		invokeFor(b, s, func(n int) bool { return n < 20 }) // the model is loaded
		alone := invokeFor(b, s, func(n int) bool { return n < 300 })
		ctx, cancel := context.WithCancel(b.Context())
		api := bedrock.NewFromConfig(s.Config())
		var creating sync.WaitGroup
		for i := range jobs {
			creating.Go(func() {
				_, _ = api.CreateModelCustomizationJob(ctx, newJob(fmt.Sprint("job-", i), fmt.Sprint("data-", i)))
			})
		}
		time.Sleep(2 * time.Second)
		beside := invokeFor(b, s, func(n int) bool { return n < 300 })
		cancel()
		creating.Wait()
		for name, took := range map[string][]time.Duration{"alone": alone, "beside": beside} {
			slices.Sort(took)
			for _, p := range []int{50, 99} {
				b.ReportMetric(float64(took[len(took)*p/100].Microseconds())/1000, fmt.Sprintf("p%d-%s-ms", p, name))
			}
		}
	}
}

// BenchmarkImpatientClient creates a job on 150,000 rows with a client that waits 3 s for an answer,
// tries five times, and is then called again.
func BenchmarkImpatientClient(b *testing.B) {
	s := harness.Start(b, bin, b.TempDir())
	putRows(b, harness.S3(s.Config()), "data", 150_000, 0, "")
	for b.Loop() {
		cfg := s.Config()
		cfg.HTTPClient = &http.Client{Timeout: 3 * time.Second}
		cfg.Retryer = func() aws.Retryer { return retry.AddWithMaxAttempts(retry.NewStandard(), 5) }
		api, calls := bedrock.NewFromConfig(cfg), 0
		began := time.Now()
		for err := error(context.DeadlineExceeded); err != nil; calls++ {
			if calls == 20 {
				b.Fatal(err)
			}
			_, err = api.CreateModelCustomizationJob(b.Context(), newJob("job", "data"))
		}
		b.ReportMetric(float64(calls), "calls")
		b.ReportMetric(time.Since(began).Seconds(), "s")
	}
}
