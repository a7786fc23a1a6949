package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrock"
	"github.com/aws/aws-sdk-go-v2/service/bedrock/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/spf13/cobra"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/models/catalog"
	"outcrop.dev/outcrop/wire/restjson"
)

// defaultBaseModel is the model that every server has.
const defaultBaseModel = catalog.PebbleID

// newJob is what the flags of jobs create say.
type newJob struct {
	name, model, base, role string
	train                   string
	validation              []string
	bucket, outputURI       string
	kind                    string
	hyper, tags             map[string]string
	named                   map[string]*string // hyperparameters with a flag of their own
	token                   string
	watch                   bool
}

const jobsCreateLong = `Create a model customization job.

--train and --validation take files here or s3:// URIs. The server looks at the names and the plan
first. Then files that it does not have yet are uploaded to the bucket that --bucket names (made if
it is missing), under data/SHA256/: no other data has that key. The server checks every row before
the job is accepted; exit code 3 says that the data was refused. A job that is refused leaves no
data behind. One that is accepted trains on what was checked, whatever becomes of the objects.`

func (a *app) jobsCreateCommand() *cobra.Command {
	n := &newJob{}
	c := &cobra.Command{
		Use:   "create --name NAME --train FILE|URI",
		Short: "Upload data if need be, and create a customization job",
		Long:  jobsCreateLong,
		Example: `  outcrop jobs create --name notes --train train.jsonl --validation validation.jsonl --epochs 3 --watch
  outcrop jobs create --name notes-2 --base amazon.titan-text-express-v1 --train s3://data/train.jsonl \
    --output-uri s3://data/output/ --hyper epochCount=3 --hyper learningRate=0.00001`,
		Args: cobra.NoArgs,
		RunE: a.withClient(func(c *cobra.Command, api *client, _ []string) error {
			return a.createJob(c.Context(), api, n)
		}),
	}
	n.addFlags(c)
	return c
}

func (n *newJob) addFlags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&n.name, "name", "", "name of the job")
	f.StringVar(&n.train, "train", "", "training data: `FILE` or s3://BUCKET/KEY")
	f.StringArrayVar(&n.validation, "validation", nil, "validation data: `FILE` or s3://BUCKET/KEY; may be repeated")
	f.StringVar(&n.model, "model-name", "", "name of the custom model (default: the job's name)")
	f.StringVar(&n.base, "base", defaultBaseModel, "base model: a foundation model's id, or a custom model")
	f.StringVar(&n.role, "role-arn", "", "role to work as (default: the role OutcropJobs of the key's account)")
	f.StringVar(&n.bucket, "bucket", "", "bucket for uploads and output (default: outcrop-ACCOUNT)")
	f.StringVar(&n.outputURI, "output-uri", "", "where the artefacts go (default: s3://BUCKET/jobs/NAME/output/)")
	f.StringVar(&n.kind, "customization-type", string(types.CustomizationTypeFineTuning), "kind of customization")
	f.StringToStringVar(&n.hyper, "hyper", nil, "a hyperparameter by its API name, NAME=VALUE; may be repeated")
	f.StringToStringVar(&n.tags, "tag", nil, "a tag, KEY=VALUE; may be repeated")
	f.StringVar(&n.token, "client-request-token", "", "makes a repeated call return the first one's job")
	f.BoolVar(&n.watch, "watch", false, "follow the job until it ends")
	n.named = map[string]*string{
		"epochCount":              f.String("epochs", "", "passes over the data (epochCount)"),
		"batchSize":               f.String("batch-size", "", "rows a step (batchSize)"),
		"learningRate":            f.String("learning-rate", "", "peak learning rate (learningRate)"),
		"learningRateWarmupSteps": f.String("warmup-steps", "", "steps until the peak (learningRateWarmupSteps)"),
		"seed":                    f.String("seed", "", "seed of every random choice (seed; Outcrop only)"),
	}
	require(c, "name", "train")
}

func (a *app) createJob(ctx context.Context, api *client, n *newJob) error {
	if err := n.complete(ctx, api); err != nil {
		return err
	}
	uploads, err := n.uploads()
	if err != nil {
		return err
	}
	out, err := a.submit(ctx, api, n, uploads)
	if err != nil {
		return dataRefused(err)
	}
	a.note("Created %s", aws.ToString(out.JobArn))
	if n.watch {
		return a.watchAndPrint(ctx, api, aws.ToString(out.JobArn))
	}
	if a.output == outputJSON {
		return a.printJSON(out)
	}
	a.printf("%s\n", aws.ToString(out.JobArn))
	a.note("Follow it with: outcrop jobs watch %s", n.name)
	return nil
}

// complete fills in what the flags left open.
func (n *newJob) complete(ctx context.Context, api *client) error {
	if n.bucket == "" || n.role == "" {
		account, err := api.account(ctx)
		if err != nil {
			return err
		}
		n.bucket = cmp.Or(n.bucket, "outcrop-"+account)
		n.role = cmp.Or(n.role, "arn:aws:iam::"+account+":role/OutcropJobs")
	}
	n.model = cmp.Or(n.model, n.name)
	n.outputURI = cmp.Or(n.outputURI, "s3://"+n.bucket+"/jobs/"+n.name+"/output/")
	if n.hyper == nil {
		n.hyper = map[string]string{}
	}
	for name, value := range n.named {
		if *value != "" {
			n.hyper[name] = *value
		}
	}
	return nil
}

// uploads replaces the files among the inputs with the URIs that they get, and returns them.
func (n *newJob) uploads() (uploads []upload, err error) {
	place := func(file *string, name string) error {
		if strings.HasPrefix(*file, "s3://") {
			return nil
		}
		u, err := newUpload(*file, n.bucket, name)
		uploads, *file = append(uploads, u), u.uri()
		return err
	}
	if err := place(&n.train, "train.jsonl"); err != nil {
		return nil, err
	}
	for i := range n.validation {
		if err := place(&n.validation[i], fmt.Sprintf("validation-%d.jsonl", i+1)); err != nil {
			return nil, err
		}
	}
	return uploads, nil
}

// submit creates the job. The server is asked first: what it refuses, or has created before by the
// same token, needs no upload. What was uploaded for a job that is refused after all is deleted.
func (a *app) submit(ctx context.Context, api *client, n *newJob, uploads []upload) (*bedrock.CreateModelCustomizationJobOutput, error) {
	in := n.input(n.train, n.validation)
	out, err := api.bedrock.CreateModelCustomizationJob(ctx, in)
	if len(uploads) == 0 || !inputMissing(err) {
		return out, err
	}
	var made []upload
	for _, u := range uploads {
		a.note("Uploading %s to %s", u.file, u.uri())
		isNew, err := api.upload(ctx, u)
		if err != nil {
			return nil, err
		}
		if isNew {
			made = append(made, u)
		}
	}
	out, err = api.bedrock.CreateModelCustomizationJob(ctx, in)
	if isRefusal(err) {
		a.removeUploads(ctx, api, made)
	}
	return out, err
}

// inputMissing reports whether an answer says that there is no object where an input should be, in
// AWS's words, which earlier versions of the server use too.
func inputMissing(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && strings.Contains(api.ErrorMessage(), "Could not validate GetObject permissions")
}

// isRefusal reports whether the server has answered that the request is wrong: then there is no job.
func isRefusal(err error) bool {
	var answer *smithyhttp.ResponseError
	return errors.As(err, &answer) && answer.HTTPStatusCode()/100 == 4
}

func (n *newJob) input(train string, validation []string) *bedrock.CreateModelCustomizationJobInput {
	in := &bedrock.CreateModelCustomizationJobInput{
		JobName:             aws.String(n.name),
		CustomModelName:     aws.String(n.model),
		BaseModelIdentifier: aws.String(n.base),
		RoleArn:             aws.String(n.role),
		CustomizationType:   types.CustomizationType(n.kind),
		TrainingDataConfig:  &types.TrainingDataConfig{S3Uri: aws.String(train)},
		OutputDataConfig:    &types.OutputDataConfig{S3Uri: aws.String(n.outputURI)},
		HyperParameters:     n.hyper,
	}
	if len(validation) > 0 {
		in.ValidationDataConfig = &types.ValidationDataConfig{}
		for _, uri := range validation {
			in.ValidationDataConfig.Validators = append(in.ValidationDataConfig.Validators, types.Validator{S3Uri: aws.String(uri)})
		}
	}
	for key, value := range n.tags {
		in.JobTags = append(in.JobTags, types.Tag{Key: aws.String(key), Value: aws.String(value)})
	}
	if n.token != "" {
		in.ClientRequestToken = aws.String(n.token)
	}
	return in
}

// dataRefused gives a refusal of the data its own exit code. A server of an earlier version
// gives no reason: then it is a refusal like any other.
func dataRefused(err error) error {
	var answer *smithyhttp.ResponseError
	if errors.As(err, &answer) && answer.Response.Header.Get(restjson.HeaderReason) == string(outcrop.ReasonBadData) {
		return &exitError{code: exitBadData, text: explain(err)}
	}
	return err
}
