package server_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrock"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"outcrop.dev/outcrop/server"
)

// flip changes a bit in the middle of a file.
func flip(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A bit that has flipped in a model, or in an object, is never served: it is an error that names the
// file, the scrub finds it, and /metrics counts it.
func TestDamageIsNotServed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	arn := tuned(t, dir)
	log := slog.New(slog.DiscardHandler)
	r, err := server.Scrub(t.Context(), dir, time.Now, log) // gives the model its checksums
	if err != nil || r.Models != 1 || len(r.Damaged) != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	flip(t, filepath.Join(dir, "models", tinyID, "model.safetensors"))
	s := startIn(t, dir)
	cfg := config(s, s.RootKey(), http1())
	th, err := bedrock.NewFromConfig(cfg).CreateProvisionedModelThroughput(t.Context(), &bedrock.CreateProvisionedModelThroughputInput{
		ModelId: aws.String(string(arn)), ModelUnits: aws.Int32(1), ProvisionedModelName: aws.String("damaged"),
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = bedrockruntime.NewFromConfig(cfg).InvokeModel(t.Context(), &bedrockruntime.InvokeModelInput{
		ModelId: th.ProvisionedModelArn, Body: []byte(`{"inputText":"Hello","textGenerationConfig":{"maxTokenCount":2}}`),
	})
	if err == nil || !strings.Contains(err.Error(), "model.safetensors") {
		t.Errorf("a damaged model answers: %v", err)
	}

	objects := s3.NewFromConfig(cfg)
	if _, err := objects.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("bucket")}); err != nil {
		t.Fatal(err)
	}
	if _, err := objects.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("bucket"), Key: aws.String("k"), Body: strings.NewReader(strings.Repeat("word ", 100))}); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "s3", "data", "*", "*"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	flip(t, files[0])
	_, err = objects.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: aws.String("k")})
	if err == nil || !strings.Contains(err.Error(), filepath.Base(files[0])) || strings.Contains(err.Error(), dir) {
		t.Errorf("a damaged object: %v", err)
	}
	if _, body := get(t, s.URL()+"/metrics", "Authorization", basic(s.RootKey().AccessKeyID, s.RootKey().SecretAccessKey)); !strings.Contains(body, "outcrop_damaged_files 2") {
		t.Errorf("the gauge:\n%s", body)
	}
	r, err = server.Scrub(t.Context(), dir, time.Now, log)
	if err != nil || len(r.Damaged) != 2 {
		t.Errorf("%+v, %v", r, err)
	}
}

// tinyID is the id of the model that tuned makes.
const tinyID = "tinytinytiny"

// A model of its own gets its checksums without anybody asking.
func TestModelsGetChecksums(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tuned(t, dir)
	startIn(t, dir)
	for _, path := range []string{filepath.Join("models", tinyID), filepath.Join("foundation-models", "outcrop.pebble-v1")} {
		path := filepath.Join(dir, path, "checksums.json")
		for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
			if _, err := os.Stat(path); err == nil {
				break
			}
			if time.Since(began) > time.Minute {
				t.Fatalf("%s is not there", path)
			}
		}
	}
}
