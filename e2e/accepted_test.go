package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrock"
	"github.com/aws/aws-sdk-go-v2/service/bedrock/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"outcrop.dev/outcrop/e2e/harness"
)

// TestWhatWasAcceptedIsTrained: two jobs wait for their turn, with equal data. The data of one are
// replaced by rows that are no JSON, and deleted; the server is killed. Both complete, with the same
// losses, and report the digests of what they were accepted with.
func TestWhatWasAcceptedIsTrained(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, bin, t.TempDir())
	tuning := func(name string, rows, epochs int) harness.Tuning {
		return harness.Tuning{Name: name, Base: "outcrop.pebble-v1", Rows: rows, Validation: 8, Epochs: epochs, Batch: 8, LearningRate: "0.001"}
	}
	first := tuning("first", 400, 10).Create(t, s)
	replaced, left := tuning("replaced", 24, 1).Create(t, s), tuning("left", 24, 1).Create(t, s)
	train, validation := harness.Object(t, s, "replaced/train.jsonl"), harness.Object(t, s, "replaced/validation.jsonl")

	client := harness.S3(s.Config())
	if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(harness.Bucket), Key: aws.String("replaced/train.jsonl"), Body: strings.NewReader("no JSON")}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String(harness.Bucket), Key: aws.String("replaced/validation.jsonl")}); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	s.Restart()
	if _, err := bedrock.NewFromConfig(s.Config()).StopModelCustomizationJob(t.Context(), &bedrock.StopModelCustomizationJobInput{JobIdentifier: &first}); err != nil {
		t.Fatal(err)
	}
	var losses [2]float64
	for i, arn := range []string{replaced, left} {
		job, err := harness.AwaitJob(t.Context(), s, arn, jobTimeout)
		if err != nil {
			t.Fatal(err)
		}
		if job.Status != types.ModelCustomizationJobStatusCompleted {
			t.Fatalf("%s is %s: %s", arn, job.Status, aws.ToString(job.FailureMessage))
		}
		losses[i] = float64(*job.TrainingMetrics.TrainingLoss)
		prefix := []string{"replaced", "left"}[i] + "/output/model-customization-job-" + arn[strings.LastIndexByte(arn, '/')+1:] + "/"
		want := []string{sumOf(train), sumOf(validation)}
		var manifest struct{ Inputs []struct{ SHA256 string } }
		var report struct{ Files []struct{ SHA256 string } }
		decode(t, harness.Object(t, s, prefix+"manifest.json"), &manifest)
		decode(t, harness.Object(t, s, prefix+"data_report.json"), &report)
		var inputs, reported []string
		for j := range want {
			inputs, reported = append(inputs, manifest.Inputs[j].SHA256), append(reported, report.Files[j].SHA256)
		}
		if !slices.Equal(inputs, want) || !slices.Equal(reported, want) {
			t.Errorf("%s: the manifest says %q, the report %q, want %q", arn, inputs, reported, want)
		}
	}
	if losses[0] != losses[1] {
		t.Errorf("equal data, losses %v", losses)
	}
	if got := harness.Object(t, s, "replaced/train.jsonl"); !bytes.Equal(got, []byte("no JSON")) {
		t.Errorf("the user's object is %q", got)
	}
}

func sumOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func decode(t *testing.T, b []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatal(err)
	}
}
