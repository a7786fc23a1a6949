package harness

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrock"
	"github.com/aws/aws-sdk-go-v2/service/bedrock/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"outcrop.dev/outcrop/cli/demo"
)

// Bucket is where tunings keep their data and output.
const Bucket = "e2e-bucket"

// A Tuning is a customization job of the sample data.
type Tuning struct {
	Name             string // of the job and of its model
	Base             string
	Rows, Validation int
	Epochs, Batch    int
	LearningRate     string
	More             map[string]string // hyperparameters besides
}

// Create uploads the data and creates the job, and returns its ARN.
func (n Tuning) Create(t testing.TB, s *Server) string {
	t.Helper()
	client := S3(s.Config())
	_, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(Bucket)})
	var mine *s3types.BucketAlreadyOwnedByYou
	if err != nil && !errors.As(err, &mine) {
		t.Fatal(err)
	}
	train := n.put(t, client, "train", n.Rows)
	validation := n.put(t, client, "validation", n.Validation)
	out, err := bedrock.NewFromConfig(s.Config()).CreateModelCustomizationJob(t.Context(), &bedrock.CreateModelCustomizationJobInput{
		JobName: aws.String(n.Name), CustomModelName: aws.String(n.Name), BaseModelIdentifier: aws.String(n.Base),
		RoleArn:              aws.String("arn:aws:iam::123456789012:role/E2E"),
		TrainingDataConfig:   &types.TrainingDataConfig{S3Uri: aws.String(train)},
		ValidationDataConfig: &types.ValidationDataConfig{Validators: []types.Validator{{S3Uri: aws.String(validation)}}},
		OutputDataConfig:     &types.OutputDataConfig{S3Uri: aws.String("s3://" + Bucket + "/" + n.Name + "/output")},
		HyperParameters:      n.hyperParameters(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(out.JobArn)
}

func (n Tuning) hyperParameters() map[string]string {
	hp := map[string]string{
		"epochCount": strconv.Itoa(n.Epochs), "batchSize": strconv.Itoa(n.Batch),
		"learningRate": n.LearningRate, "learningRateWarmupSteps": "2",
	}
	maps.Copy(hp, n.More)
	return hp
}

func (n Tuning) put(t testing.TB, client *s3.Client, set string, rows int) (uri string) {
	t.Helper()
	b, err := demo.Set(set)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfterN(b, []byte("\n"), rows+1)
	key := n.Name + "/" + set + ".jsonl"
	_, err = client.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(Bucket), Key: aws.String(key), Body: bytes.NewReader(bytes.Join(lines[:rows], nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return "s3://" + Bucket + "/" + key
}

// S3 returns an S3 client that puts the bucket into the path.
func S3(cfg aws.Config) *s3.Client {
	return s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
}

// Object returns the content of an object of Bucket.
func Object(t testing.TB, s *Server, key string) []byte {
	t.Helper()
	out, err := S3(s.Config()).GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(Bucket), Key: aws.String(key)})
	if err != nil {
		t.Fatalf("get %s: %v", key, err)
	}
	defer out.Body.Close()
	b, err := io.ReadAll(out.Body)
	if err != nil {
		t.Fatalf("read %s: %v", key, err)
	}
	return b
}

// AwaitJob waits until a job has ended, at most limit, and returns it.
func AwaitJob(ctx context.Context, s *Server, arn string, limit time.Duration) (*bedrock.GetModelCustomizationJobOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		job, err := bedrock.NewFromConfig(s.Config()).GetModelCustomizationJob(ctx, &bedrock.GetModelCustomizationJobInput{JobIdentifier: aws.String(arn)})
		if err != nil {
			return nil, err
		}
		if job.Status != types.ModelCustomizationJobStatusInProgress && job.Status != types.ModelCustomizationJobStatusStopping {
			return job, nil
		}
		time.Sleep(100 * time.Millisecond)
	}
}
