// Package demo shows the whole of Outcrop on sample data: the base model's answers, upload,
// customization job, provisioned throughput, the tuned model's answers.
//
// It is a user's program. It knows an endpoint and a key, makes every call through the AWS
// SDK for Go over HTTP, and would run against any server that speaks the Bedrock API.
package demo

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrock"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Options say what the demo does.
type Options struct {
	BaseModel    string
	Name         string // of the job, the custom model and the throughput
	Bucket       string
	Account      string
	Rows         int // of the training data
	Validation   int // of the validation data
	HeldOut      int // rows that both models are asked
	Shown        int // of them, shown side by side
	Epochs       int
	BatchSize    int
	LearningRate float64
	WarmupSteps  int
	MaxTokens    int      // of one answer
	Columns      int      // width of the text
	GoOn         []string // commands that bring back a server with what the demo made
}

// Defaults returns the options of a demo that takes about two minutes on two cores.
func Defaults() Options {
	return Options{
		BaseModel: "outcrop.pebble-v1", Name: "patient-notes", Bucket: "outcrop-demo", Account: "123456789012",
		Rows: 2500, Validation: 100, HeldOut: 100, Shown: 3,
		Epochs: 1, BatchSize: 8, LearningRate: 0.001, WarmupSteps: 20, MaxTokens: 128, Columns: 100,
	}
}

// Follow follows a job until it has ended, and returns it. Package cli draws the progress line.
type Follow func(ctx context.Context, jobARN string) (*bedrock.GetModelCustomizationJobOutput, error)

// Run plays the demo against the server that cfg names, and writes to out what it does. It
// fails if a call fails or the job does not complete.
func Run(ctx context.Context, cfg aws.Config, o Options, out io.Writer, follow Follow) error {
	r := &run{
		Options: o, out: out, follow: follow,
		bedrock: bedrock.NewFromConfig(cfg),
		runtime: bedrockruntime.NewFromConfig(cfg),
		s3:      s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }),
	}
	began := time.Now()
	for i, step := range r.steps() {
		r.printf("\n%d. %s\n", i+1, step.title)
		if err := step.do(ctx); err != nil {
			r.abandon(context.WithoutCancel(ctx))
			return fmt.Errorf("%s: %w", step.title, err)
		}
	}
	r.printf("\nThe demo took %s.\n", time.Since(began).Round(time.Second))
	return nil
}

// run is one demo under way.
type run struct {
	Options
	out     io.Writer
	follow  Follow
	bedrock *bedrock.Client
	runtime *bedrockruntime.Client
	s3      *s3.Client

	heldOut       []row
	base, tuned   answers
	jobARN        string
	throughputARN string
}

type step struct {
	title string
	do    func(context.Context) error
}

func (r *run) steps() []step {
	return []step{
		{"Ask the base model about held-out notes", r.askBase},
		{"Upload the data", r.upload},
		{"Create the customization job", r.createJob},
		{"Watch it train", r.watch},
		{"Provision throughput for the tuned model", r.provision},
		{"Ask the tuned model the same", r.askTuned},
		{"The answers side by side", r.compare},
		{"What the job left in S3", r.artefacts},
		{"Go on with boto3", r.goOn},
	}
}

func (r *run) printf(format string, args ...any) { fmt.Fprintf(r.out, format, args...) }

// call names an API call as its documentation does.
func (r *run) call(service, operation, format string, args ...any) {
	r.printf("   %s %s  %s\n", service, operation, fmt.Sprintf(format, args...))
}
