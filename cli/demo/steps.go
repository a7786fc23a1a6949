package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrock"
	"github.com/aws/aws-sdk-go-v2/service/bedrock/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func (r *run) askBase(ctx context.Context) (err error) {
	if r.heldOut, err = firstRows("test", r.HeldOut); err != nil {
		return err
	}
	r.call("bedrock-runtime", "InvokeModel", "modelId=%s, %d notes, temperature 0", r.BaseModel, len(r.heldOut))
	if r.base, err = r.ask(ctx, r.BaseModel); err != nil {
		return err
	}
	r.printScore("base model", r.base)
	return nil
}

func (r *run) printScore(who string, a answers) {
	r.printf("   %s: %d of %d answers exactly right, in %s\n", who, exact(r.heldOut, a), len(r.heldOut), a.took.Round(100*time.Millisecond))
}

func (r *run) trainURI() string      { return "s3://" + r.Bucket + "/" + r.trainKey() }
func (r *run) trainKey() string      { return r.Name + "/train.jsonl" }
func (r *run) validationURI() string { return "s3://" + r.Bucket + "/" + r.validationKey() }
func (r *run) validationKey() string { return r.Name + "/validation.jsonl" }
func (r *run) outputKey() string     { return r.Name + "/output/" }

func (r *run) upload(ctx context.Context) error {
	r.call("s3", "CreateBucket", "%s", r.Bucket)
	_, err := r.s3.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(r.Bucket)})
	var mine *s3types.BucketAlreadyOwnedByYou
	if err != nil && !errors.As(err, &mine) {
		return err
	}
	if err := r.uploadSet(ctx, "train", r.Rows, r.trainKey()); err != nil {
		return err
	}
	return r.uploadSet(ctx, "validation", r.Validation, r.validationKey())
}

func (r *run) uploadSet(ctx context.Context, set string, rows int, key string) error {
	b, err := Set(set)
	if err != nil {
		return err
	}
	b = firstLines(b, rows)
	r.call("s3", "PutObject", "s3://%s/%s, %d rows, %d bytes", r.Bucket, key, bytes.Count(b, []byte("\n")), len(b))
	_, err = r.s3.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(r.Bucket), Key: aws.String(key), Body: bytes.NewReader(b)})
	return err
}

func (r *run) createJob(ctx context.Context) error {
	in := &bedrock.CreateModelCustomizationJobInput{
		JobName:             aws.String(r.Name),
		CustomModelName:     aws.String(r.Name),
		BaseModelIdentifier: aws.String(r.BaseModel),
		RoleArn:             aws.String("arn:aws:iam::" + r.Account + ":role/OutcropDemo"),
		CustomizationType:   types.CustomizationTypeFineTuning,
		TrainingDataConfig:  &types.TrainingDataConfig{S3Uri: aws.String(r.trainURI())},
		ValidationDataConfig: &types.ValidationDataConfig{Validators: []types.Validator{
			{S3Uri: aws.String(r.validationURI())},
		}},
		OutputDataConfig: &types.OutputDataConfig{S3Uri: aws.String("s3://" + r.Bucket + "/" + r.outputKey())},
		HyperParameters: map[string]string{
			"epochCount":              strconv.Itoa(r.Epochs),
			"batchSize":               strconv.Itoa(r.BatchSize),
			"learningRate":            strconv.FormatFloat(r.LearningRate, 'f', -1, 64),
			"learningRateWarmupSteps": strconv.Itoa(r.WarmupSteps),
		},
	}
	out, err := r.bedrock.CreateModelCustomizationJob(ctx, in)
	if err != nil {
		return err
	}
	r.jobARN = aws.ToString(out.JobArn)
	r.call("bedrock", "CreateModelCustomizationJob", "epochCount=%d, batchSize=%d, learningRate=%v", r.Epochs, r.BatchSize, r.LearningRate)
	r.printf("   every row was checked before this answer: %s\n", r.jobARN)
	return nil
}

func (r *run) watch(ctx context.Context) error {
	r.call("bedrock", "GetModelCustomizationJob", "until it has ended")
	job, err := r.follow(ctx, r.jobARN)
	if err != nil {
		return err
	}
	if job.Status != types.ModelCustomizationJobStatusCompleted {
		return fmt.Errorf("the job is %s: %s", job.Status, aws.ToString(job.FailureMessage))
	}
	r.printf("   %s: %s\n", job.Status, aws.ToString(job.OutputModelArn))
	return nil
}

// abandonPatience bounds the wait for a job to stop: its worker is told within seconds.
const abandonPatience = 10 * time.Second

// abandon stops the job of a demo that cannot go on. Its worker would train on without the
// server, which is right for every job but this one.
func (r *run) abandon(ctx context.Context) {
	if r.jobARN == "" {
		return
	}
	_, err := r.bedrock.StopModelCustomizationJob(ctx, &bedrock.StopModelCustomizationJobInput{JobIdentifier: aws.String(r.jobARN)})
	if err != nil {
		return // it has ended, or there is no server to stop it
	}
	ctx, cancel := context.WithTimeout(ctx, abandonPatience)
	defer cancel()
	if _, err := r.follow(ctx, r.jobARN); err != nil {
		r.printf("   the job did not stop within %s\n", abandonPatience)
	}
}

// provisionPatience bounds the wait for InService, which takes seconds when the weights are
// on disk.
const provisionPatience = time.Minute

func (r *run) provision(ctx context.Context) error {
	r.call("bedrock", "CreateProvisionedModelThroughput", "modelId=%s, 1 model unit", r.Name)
	out, err := r.bedrock.CreateProvisionedModelThroughput(ctx, &bedrock.CreateProvisionedModelThroughputInput{
		ProvisionedModelName: aws.String(r.Name), ModelId: aws.String(r.Name), ModelUnits: aws.Int32(1),
	})
	if err != nil {
		return err
	}
	r.throughputARN = aws.ToString(out.ProvisionedModelArn)
	began := time.Now()
	for time.Since(began) < provisionPatience {
		t, err := r.bedrock.GetProvisionedModelThroughput(ctx, &bedrock.GetProvisionedModelThroughputInput{ProvisionedModelId: out.ProvisionedModelArn})
		switch {
		case err != nil:
			return err
		case t.Status == types.ProvisionedModelStatusInService:
			r.printf("   InService after %s: %s\n", time.Since(began).Round(10*time.Millisecond), r.throughputARN)
			return nil
		case t.Status == types.ProvisionedModelStatusFailed:
			return fmt.Errorf("the throughput failed: %s", aws.ToString(t.FailureMessage))
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("the throughput is not in service after %s", provisionPatience)
}

func (r *run) askTuned(ctx context.Context) (err error) {
	r.call("bedrock-runtime", "InvokeModel", "modelId=%s, %d notes, temperature 0", r.throughputARN, len(r.heldOut))
	if r.tuned, err = r.ask(ctx, r.throughputARN); err != nil {
		return err
	}
	r.printScore("tuned model", r.tuned)
	return nil
}
