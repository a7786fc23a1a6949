package bedrock_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	sdk "github.com/aws/aws-sdk-go-v2/service/bedrock"
	"github.com/aws/aws-sdk-go-v2/service/bedrock/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/service/bedrock"
	"outcrop.dev/outcrop/service/internal/resource"
)

// jobRequest is a request that succeeds, with everything that one may say in it.
func jobRequest(name string) *sdk.CreateModelCustomizationJobInput {
	return &sdk.CreateModelCustomizationJobInput{
		JobName: aws.String(name), CustomModelName: aws.String(name + "-model"), BaseModelIdentifier: aws.String(titan), RoleArn: aws.String(role),
		TrainingDataConfig:   &types.TrainingDataConfig{S3Uri: aws.String("s3://data/train.jsonl")},
		ValidationDataConfig: &types.ValidationDataConfig{Validators: []types.Validator{{S3Uri: aws.String("s3://data/v1.jsonl")}, {S3Uri: aws.String("s3://data/v2.jsonl")}}},
		OutputDataConfig:     &types.OutputDataConfig{S3Uri: aws.String("s3://out/jobs/")},
		HyperParameters:      map[string]string{"epochCount": "3", "batchSize": "8", "learningRate": "0.00001", "learningRateWarmupSteps": "10"},
		CustomizationType:    types.CustomizationTypeFineTuning,
		CustomModelKmsKeyId:  aws.String("arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"),
		JobTags:              []types.Tag{{Key: aws.String("team"), Value: aws.String("red")}},
		CustomModelTags:      []types.Tag{{Key: aws.String("model"), Value: aws.String("")}},
		VpcConfig:            &types.VpcConfig{SubnetIds: []string{"subnet-1"}, SecurityGroupIds: []string{"sg-1"}},
	}
}

// createJob creates a job and returns its ARN.
func (e *env) createJob(name string) string {
	e.Helper()
	return *must(e.CreateModelCustomizationJob(e.Context(), jobRequest(name)))(e.TB).JobArn
}

func TestCreateJob(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	arn := e.createJob("first")
	if want := "arn:aws:bedrock:us-east-1:123456789012:model-customization-job/" + titan + "/id"; !strings.HasPrefix(arn, want) {
		t.Errorf("jobArn = %s", arn)
	}
	if got := strings.Join(e.checker.asked, " "); got != `/models/pebble 512 FINE_TUNING s3://data/train.jsonl {"prompt":"a","completion":"b"} s3://data/v1.jsonl {} s3://data/v2.jsonl {}` {
		t.Errorf("the checker was asked %s", got)
	}
	if got := e.objects.written; !slices.Equal(got, []string{"out/jobs/.write_access_check_file.tmp"}) {
		t.Errorf("the writing was tried with %s", got)
	}
	e.service.Close()
	want := []string{".outcrop/blobs/" + sumOf(`{"prompt":"a","completion":"b"}`), ".outcrop/blobs/" + sumOf("{}"), "data/train.jsonl", "data/v1.jsonl", "data/v2.jsonl", "out/"}
	slices.Sort(want)
	if keys := e.objects.keys(); !slices.Equal(keys, want) {
		t.Errorf("what was tried is left behind: %s", keys)
	}

	for _, identifier := range []string{"first", arn} {
		got := must(e.GetModelCustomizationJob(t.Context(), &sdk.GetModelCustomizationJobInput{JobIdentifier: &identifier}))(t)
		if *got.JobArn != arn || got.Status != "InProgress" || *got.OutputModelName != "first-model" || *got.RoleArn != role || got.OutputModelArn != nil ||
			*got.BaseModelArn != "arn:aws:bedrock:us-east-1::foundation-model/"+titan || got.HyperParameters["learningRate"] != "0.00001" ||
			*got.TrainingDataConfig.S3Uri != "s3://data/train.jsonl" || len(got.ValidationDataConfig.Validators) != 2 || *got.OutputDataConfig.S3Uri != "s3://out/jobs/" ||
			got.CustomizationType != "FINE_TUNING" || got.VpcConfig.SubnetIds[0] != "subnet-1" || got.OutputModelKmsKeyArn == nil || got.ClientRequestToken == nil ||
			got.TrainingMetrics != nil || got.ValidationMetrics != nil || got.EndTime != nil || got.FailureMessage != nil {
			t.Errorf("%s: %+v", identifier, got)
		}
		if d := got.StatusDetails; d.TrainingDetails.Status != "NotStarted" || d.ValidationDetails.CreationTime == nil || d.DataProcessingDetails.LastModifiedTime == nil {
			t.Errorf("statusDetails = %+v", d)
		}
	}
	conformsJob(e, arn)
}

// conformsJob checks a job's answers against the service model.
func conformsJob(e *env, arn string) {
	e.Helper()
	out, err := e.service.GetModelCustomizationJob(e.ctx(), &bedrock.GetModelCustomizationJobInput{JobIdentifier: arn})
	conforms(e.TB, out, err)
	list, err := e.service.ListModelCustomizationJobs(e.ctx(), &bedrock.ListModelCustomizationJobsInput{})
	conforms(e.TB, list, err)
}

func TestJobThatSaysLittle(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	in := &sdk.CreateModelCustomizationJobInput{
		JobName: aws.String("bare"), CustomModelName: aws.String("bare"), BaseModelIdentifier: aws.String("arn:aws:bedrock:us-east-1::foundation-model/" + titan + ":0:8k"),
		RoleArn: aws.String(role), TrainingDataConfig: &types.TrainingDataConfig{S3Uri: aws.String("s3://data/train.jsonl")}, OutputDataConfig: &types.OutputDataConfig{S3Uri: aws.String("s3://out")},
	}
	arn := *must(e.CreateModelCustomizationJob(t.Context(), in))(t).JobArn
	got := must(e.GetModelCustomizationJob(t.Context(), &sdk.GetModelCustomizationJobInput{JobIdentifier: &arn}))(t)
	if got.ValidationDataConfig == nil || len(got.ValidationDataConfig.Validators) != 0 {
		t.Errorf("validationDataConfig must always be there: %+v", got.ValidationDataConfig)
	}
	if !strings.Contains(arn, titan+":0:8k/") {
		t.Errorf("jobArn = %s", arn)
	}
	rec, _ := e.store.Get(t.Context(), outcrop.Key{ARN: outcrop.ARN(arn)})
	job, _ := outcrop.JobOf(rec)
	if job.Train.Epochs != 2 || job.Train.BatchSize != 4 {
		t.Errorf("the defaults: %+v", job.Train)
	}
	conformsJob(e, arn)
}

func TestJobProgressAndEnd(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	arn := e.createJob("run")
	loss := 1.25
	update(e, arn, outcrop.JobOf, func(j *outcrop.Job) {
		j.Progress = outcrop.Progress{Step: 3, Steps: 9, TrainingLoss: &loss, ValidationLosses: []float64{1.5, 0}, TokensPerSecond: 10.5, ETASeconds: 2}
		j.Training.Status = outcrop.PhaseInProgress
	})
	in := &sdk.GetModelCustomizationJobInput{JobIdentifier: aws.String("run")}
	got := must(e.GetModelCustomizationJob(t.Context(), in))(t)
	if *got.TrainingMetrics.TrainingLoss != 1.25 || *got.ValidationMetrics[0].ValidationLoss != 1.5 || *got.ValidationMetrics[1].ValidationLoss != 0 || got.OutputModelArn != nil {
		t.Errorf("in progress: %+v", got)
	}
	response, ok := awsmiddleware.GetRawResponse(got.ResultMetadata).(*smithyhttp.Response)
	if want := `{"step":3,"steps":9,"epoch":0,"tokens":0,"tokensPerSecond":10.5,"etaSeconds":2,"hyperParameters":{"activationCheckpointing":"false",`; !ok || !strings.HasPrefix(response.Header.Get("X-Outcrop-Progress"), want) {
		t.Errorf("the progress header is %q, want %s", response.Header.Get("X-Outcrop-Progress"), want)
	}
	conformsJob(e, arn)

	model := e.complete(arn)
	got = must(e.GetModelCustomizationJob(t.Context(), in))(t)
	if got.Status != "Completed" || *got.OutputModelArn != model || got.EndTime == nil {
		t.Errorf("completed: %+v", got)
	}
	conformsJob(e, arn)

	failed := e.createJob("fail")
	update(e, failed, outcrop.JobOf, func(j *outcrop.Job) {
		j.Status, j.FailureMessage, j.EndTime = outcrop.JobFailed, strings.Repeat("é", 3000), e.clock()
	})
	got = must(e.GetModelCustomizationJob(t.Context(), &sdk.GetModelCustomizationJobInput{JobIdentifier: &failed}))(t)
	if got.Status != "Failed" || *got.FailureMessage != strings.Repeat("é", 2048) {
		t.Errorf("failed: %s, %d bytes", got.Status, len(*got.FailureMessage))
	}
	conformsJob(e, failed)
}

func TestCreateJobRefusals(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change     func(in *sdk.CreateModelCustomizationJobInput)
		prepare    func(e *env)
		code, text string
	}{
		"bad names": {func(in *sdk.CreateModelCustomizationJobInput) {
			in.JobName, in.CustomModelName = aws.String("-"), aws.String("a__b")
		}, nil, "ValidationException", "2 validation errors detected: "},
		"bad role": {func(in *sdk.CreateModelCustomizationJobInput) { in.RoleArn = aws.String("BedrockRole") }, nil,
			"ValidationException", "Value 'BedrockRole' at 'roleArn' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:aws"},
		"bad type": {func(in *sdk.CreateModelCustomizationJobInput) { in.CustomizationType = "TUNING" }, nil,
			"ValidationException", "Value 'TUNING' at 'customizationType' failed to satisfy constraint: Member must satisfy enum value set: [FINE_TUNING, "},
		"other type": {func(in *sdk.CreateModelCustomizationJobInput) { in.CustomizationType = "DISTILLATION" }, nil,
			"ValidationException", "does not support the customization type DISTILLATION"},
		"distillation": {func(in *sdk.CreateModelCustomizationJobInput) {
			in.CustomizationConfig = &types.CustomizationConfigMemberDistillationConfig{Value: types.DistillationConfig{
				TeacherModelConfig: &types.TeacherModelConfig{TeacherModelIdentifier: aws.String(titan)}}}
		}, nil, "ValidationException", "customizationConfig"},
		"no training data": {func(in *sdk.CreateModelCustomizationJobInput) { in.TrainingDataConfig = &types.TrainingDataConfig{} }, nil,
			"ValidationException", "trainingDataConfig.s3Uri is missing"},
		"invocation logs": {func(in *sdk.CreateModelCustomizationJobInput) {
			in.TrainingDataConfig = &types.TrainingDataConfig{InvocationLogsConfig: &types.InvocationLogsConfig{
				InvocationLogSource: &types.InvocationLogSourceMemberS3Uri{Value: "s3://data/logs"}}}
		}, nil, "ValidationException", "invocationLogsConfig is not supported"},
		"unknown base": {func(in *sdk.CreateModelCustomizationJobInput) {
			in.BaseModelIdentifier = aws.String("anthropic.claude-v2")
		}, nil,
			"ResourceNotFoundException", "anthropic.claude-v2"},
		"base in another region": {func(in *sdk.CreateModelCustomizationJobInput) {
			in.BaseModelIdentifier = aws.String("arn:aws:bedrock:eu-west-1::foundation-model/" + titan)
		}, nil, "ResourceNotFoundException", "eu-west-1"},
		"nothing to validate with": {func(in *sdk.CreateModelCustomizationJobInput) {
			in.ValidationDataConfig, in.HyperParameters = nil, map[string]string{"earlyStoppingPatience": "2"}
		}, nil, "ValidationException", "go by validation data. Name them in validationDataConfig, or leave out earlyStoppingPatience."},
		"nothing to validate with, and no room for names": {func(in *sdk.CreateModelCustomizationJobInput) {
			in.ValidationDataConfig, in.HyperParameters = nil, map[string]string{"bestCheckpoint": "exactMatch", "keepCheckpoints": "1"}
			in.CustomModelName = aws.String(strings.Repeat("a", 60))
		}, nil, "ValidationException", "or leave out bestCheckpoint. With keepCheckpoints, customModelName may have 54 characters"},
		"hyperparameters": {func(in *sdk.CreateModelCustomizationJobInput) {
			in.HyperParameters = map[string]string{"epochCount": "11", "batchSize": "0", "rank": "8"}
		}, nil, "ValidationException", `"11" of hyperparameter epochCount`},
		"duplicate tag": {func(in *sdk.CreateModelCustomizationJobInput) { in.JobTags = append(in.JobTags, in.JobTags[0]) }, nil,
			"ValidationException", `"team" is given twice`},
		"reserved tag": {func(in *sdk.CreateModelCustomizationJobInput) { in.JobTags[0].Key = aws.String("aws:team") }, nil,
			"ValidationException", `"aws:team" is reserved`},
		"reserved model tag": {func(in *sdk.CreateModelCustomizationJobInput) { in.CustomModelTags[0].Key = aws.String("AWS:") }, nil,
			"ValidationException", `"AWS:" is reserved`},
		"too many tags": {func(in *sdk.CreateModelCustomizationJobInput) { in.CustomModelTags = manyTags(resource.TagsMax + 1) }, nil,
			"TooManyTagsException", "51 tags"},
		"no key": {func(in *sdk.CreateModelCustomizationJobInput) {
			in.TrainingDataConfig.S3Uri = aws.String("s3://data/none.jsonl")
			in.ValidationDataConfig.Validators[1].S3Uri = aws.String("s3://nowhere/v.jsonl")
		}, nil, "ValidationException", "Could not validate GetObject permissions to access Amazon S3 bucket: data at key none.jsonl: the key does not exist. " +
			"Could not validate GetObject permissions to access Amazon S3 bucket: nowhere at key v.jsonl: the bucket does not exist."},
		"a folder": {func(in *sdk.CreateModelCustomizationJobInput) {
			in.TrainingDataConfig.S3Uri = aws.String("s3://data/folder/")
		}, nil,
			"ValidationException", "give the URI of a file"},
		"too long": {func(*sdk.CreateModelCustomizationJobInput) {}, func(e *env) { e.objects.size = bedrock.ValidationBytesMax + 1 },
			"ValidationException", "s3://data/v1.jsonl has 104857601 bytes, and may have 104857600."},
		"no output bucket": {func(in *sdk.CreateModelCustomizationJobInput) {
			in.OutputDataConfig.S3Uri = aws.String("s3://nowhere/output")
		}, nil, "ValidationException", "Amazon S3 perms missing (PutObject): Could not validate PutObject permissions to access S3 bucket: nowhere at key output/.write_access_check_file.tmp"},
		"bad rows": {func(*sdk.CreateModelCustomizationJobInput) {}, func(e *env) { e.checker.bad = outcrop.Errorf(outcrop.CodeValidation, "line 3: no prompt.") },
			"ValidationException", "line 3: no prompt. The full report is at s3://out/jobs/model-customization-job-"},
		"unreadable": {func(*sdk.CreateModelCustomizationJobInput) {}, func(e *env) { e.checker.err = errors.New("disk on fire") },
			"InternalServerException", "request id"},
		"s3 broken": {func(*sdk.CreateModelCustomizationJobInput) {}, func(e *env) { e.objects.broken = errors.New("disk on fire") },
			"InternalServerException", "request id"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			in := jobRequest("job")
			test.change(in)
			if test.prepare != nil {
				test.prepare(e)
			}
			_, err := e.CreateModelCustomizationJob(t.Context(), in)
			fails(t, err, test.code, test.text)
			jobs := must(e.ListModelCustomizationJobs(t.Context(), &sdk.ListModelCustomizationJobsInput{}))(t)
			if len(jobs.ModelCustomizationJobSummaries) != 0 {
				t.Error("the job was created all the same")
			}
			for _, key := range e.objects.keys() {
				if strings.HasPrefix(key, "out/jobs/") && !strings.Contains(err.Error(), "s3://"+key) {
					t.Errorf("the refused job leaves %s behind, of which its error does not tell", key)
				}
			}
		})
	}
}

// manyTags returns n tags.
func manyTags(n int) []types.Tag {
	var tags []types.Tag
	for i := range n {
		tags = append(tags, types.Tag{Key: aws.String("key" + strings.Repeat("x", i)), Value: aws.String("v")})
	}
	return tags
}

func TestSizeLimitsAreInclusive(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.objects.size = bedrock.ValidationBytesMax
	e.createJob("at-the-limit")
	in := jobRequest("train")
	in.ValidationDataConfig = nil
	e.objects.size = bedrock.TrainingBytesMax
	must(e.CreateModelCustomizationJob(t.Context(), in))(t)
	in = jobRequest("over")
	in.ValidationDataConfig = nil
	e.objects.size++
	_, err := e.CreateModelCustomizationJob(t.Context(), in)
	fails(t, err, "ValidationException", "1073741825 bytes")
}

func TestJobNamesAreUnique(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	first := e.createJob("one")
	_, err := e.CreateModelCustomizationJob(t.Context(), jobRequest("one"))
	fails(t, err, "ValidationException", "The provided job name is currently in use.")

	sameModel := jobRequest("two")
	sameModel.CustomModelName = aws.String("one-model")
	_, err = e.CreateModelCustomizationJob(t.Context(), sameModel)
	fails(t, err, "ValidationException", "The provided custom model name is currently in use.")
	e.complete(first)
	_, err = e.CreateModelCustomizationJob(t.Context(), sameModel)
	fails(t, err, "ValidationException", "The provided custom model name is currently in use.")

	elsewhere := e.client(outcrop.Scope{Account: home.Account, Region: "eu-west-1"})
	must(elsewhere.CreateModelCustomizationJob(t.Context(), jobRequest("one")))(t)
}

func TestJobRequestToken(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	in := jobRequest("once")
	in.ClientRequestToken = aws.String("token-1")
	first := must(e.CreateModelCustomizationJob(t.Context(), in))(t)
	again := must(e.CreateModelCustomizationJob(t.Context(), in))(t)
	if *again.JobArn != *first.JobArn {
		t.Errorf("%s, then %s", *first.JobArn, *again.JobArn)
	}
	in.HyperParameters = map[string]string{"epochCount": "1"}
	_, err := e.CreateModelCustomizationJob(t.Context(), in)
	fails(t, err, "ConflictException", "token-1")
}

// TestTokenOutlivesTheBase sends a request again whose base model has been deleted since.
func TestTokenOutlivesTheBase(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	model := e.complete(e.createJob("first"))
	in := jobRequest("second")
	in.BaseModelIdentifier, in.ClientRequestToken = &model, aws.String("token-2")
	arn := *must(e.CreateModelCustomizationJob(t.Context(), in))(t).JobArn
	e.complete(arn)
	must(e.DeleteCustomModel(t.Context(), &sdk.DeleteCustomModelInput{ModelIdentifier: &model}))(t)
	if again := *must(e.CreateModelCustomizationJob(t.Context(), in))(t).JobArn; again != arn {
		t.Errorf("%s, then %s", arn, again)
	}
	in.BaseModelIdentifier = aws.String(titan)
	_, err := e.CreateModelCustomizationJob(t.Context(), in)
	fails(t, err, "ConflictException", "token-2")
}

// TestConcurrentCreates sends the same name many times at once: one job comes of it. With one
// token all calls get that job; with tokens of their own, one does.
func TestConcurrentCreates(t *testing.T) {
	t.Parallel()
	for name, token := range map[string]*string{"one token": aws.String("token"), "tokens of their own": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			const calls = 8
			var wg sync.WaitGroup
			var mu sync.Mutex
			arns, refused := map[string]int{}, 0
			for range calls {
				wg.Go(func() {
					in := jobRequest("race")
					in.ClientRequestToken = token
					out, err := e.service.CreateModelCustomizationJob(e.ctx(), direct(in))
					mu.Lock()
					defer mu.Unlock()
					if err != nil {
						refused++
						return
					}
					arns[out.JobArn]++
				})
			}
			wg.Wait()
			want := calls
			if token == nil {
				want = 1
			}
			for _, n := range arns {
				if len(arns) != 1 || n != want || refused != calls-want {
					t.Errorf("%v, %d refused", arns, refused)
				}
			}
		})
	}
}

// direct is a request as the service sees it.
func direct(in *sdk.CreateModelCustomizationJobInput) *bedrock.CreateModelCustomizationJobInput {
	return &bedrock.CreateModelCustomizationJobInput{
		JobName: *in.JobName, CustomModelName: *in.CustomModelName, BaseModelIdentifier: *in.BaseModelIdentifier, RoleArn: *in.RoleArn,
		TrainingDataConfig: &bedrock.TrainingDataConfig{S3Uri: *in.TrainingDataConfig.S3Uri}, OutputDataConfig: &bedrock.OutputDataConfig{S3Uri: *in.OutputDataConfig.S3Uri},
		ClientRequestToken: aws.ToString(in.ClientRequestToken),
	}
}

func TestTuneACustomModelFurther(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	model := e.complete(e.createJob("first"))
	for i, identifier := range []string{model, "first-model", "arn:aws:bedrock:us-east-1:123456789012:custom-model/first-model"} {
		in := jobRequest(fmt.Sprint("second-", i))
		in.BaseModelIdentifier = aws.String(identifier)
		arn := *must(e.CreateModelCustomizationJob(t.Context(), in))(t).JobArn
		rec, err := e.store.Get(t.Context(), outcrop.Key{ARN: outcrop.ARN(arn)})
		if err != nil {
			t.Fatal(err)
		}
		job, _ := outcrop.JobOf(rec)
		if job.BaseModelID != model || job.Parent != model || !strings.HasSuffix(string(job.BaseModelARN), "foundation-model/"+titan) {
			t.Errorf("%s: %+v", identifier, job)
		}
		if !strings.HasPrefix(e.checker.asked[0], "/models/id") {
			t.Errorf("the data were checked for %s", e.checker.asked[0])
		}
		conformsJob(e, arn)
	}
	_, err := e.DeleteCustomModel(t.Context(), &sdk.DeleteCustomModelInput{ModelIdentifier: &model})
	fails(t, err, "ConflictException", "is the base of the model customization job")
}

// TestBaseDeletedMeanwhile deletes the base model while the data of a job are being read.
func TestBaseDeletedMeanwhile(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	model := e.complete(e.createJob("first"))
	e.checker.during = func() {
		must(e.DeleteCustomModel(t.Context(), &sdk.DeleteCustomModelInput{ModelIdentifier: &model}))(t)
	}
	in := jobRequest("second")
	in.BaseModelIdentifier = &model
	_, err := e.CreateModelCustomizationJob(t.Context(), in)
	fails(t, err, "ResourceNotFoundException", model)
	for _, key := range e.objects.keys() {
		if strings.Contains(key, "data_report.json") {
			t.Errorf("a report is left behind, of which the error does not tell: %s", key)
		}
	}
}

func TestJobQuotas(t *testing.T) {
	t.Parallel()
	e := newEnvWith(t, bedrock.Quotas{JobsInProgress: 2, CustomModels: 3})
	first := e.createJob("a")
	e.createJob("b")
	_, err := e.CreateModelCustomizationJob(t.Context(), jobRequest("c"))
	fails(t, err, "ServiceQuotaExceededException", "quota of 2 jobs in progress")
	e.complete(first)
	third := e.createJob("c")
	e.complete(third)
	_, err = e.CreateModelCustomizationJob(t.Context(), jobRequest("d"))
	fails(t, err, "ServiceQuotaExceededException", "quota of 3 custom models")
	must(e.DeleteCustomModel(t.Context(), &sdk.DeleteCustomModelInput{ModelIdentifier: aws.String("c-model")}))(t)
	e.createJob("d")
}

func TestListJobs(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	var arns []string
	for _, name := range []string{"alpha-1", "beta-1", "alpha-2", "beta-2"} {
		arns = append(arns, e.createJob(name))
		e.advance(time.Hour)
	}
	e.complete(arns[1])
	hour := func(n int) *time.Time {
		t := time.Date(2025, 6, 1, 12+n, 30, 0, 0, time.UTC)
		return &t
	}
	for name, test := range map[string]struct {
		in   sdk.ListModelCustomizationJobsInput
		want string
	}{
		"all":       {sdk.ListModelCustomizationJobsInput{}, "beta-2 alpha-2 beta-1 alpha-1"},
		"ascending": {sdk.ListModelCustomizationJobsInput{SortBy: "CreationTime", SortOrder: "Ascending"}, "alpha-1 beta-1 alpha-2 beta-2"},
		"name":      {sdk.ListModelCustomizationJobsInput{NameContains: aws.String("beta")}, "beta-2 beta-1"},
		"status":    {sdk.ListModelCustomizationJobsInput{StatusEquals: "Completed"}, "beta-1"},
		"times":     {sdk.ListModelCustomizationJobsInput{CreationTimeAfter: hour(0), CreationTimeBefore: hour(2)}, "alpha-2 beta-1"},
		"pages":     {sdk.ListModelCustomizationJobsInput{MaxResults: aws.Int32(3)}, "beta-2 alpha-2 beta-1 alpha-1"},
		"pages up":  {sdk.ListModelCustomizationJobsInput{MaxResults: aws.Int32(1), SortOrder: "Ascending"}, "alpha-1 beta-1 alpha-2 beta-2"},
		"none":      {sdk.ListModelCustomizationJobsInput{NameContains: aws.String("gamma")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var names []string
			pages := sdk.NewListModelCustomizationJobsPaginator(e, &test.in)
			for pages.HasMorePages() {
				page := must(pages.NextPage(t.Context()))(t)
				if page.ModelCustomizationJobSummaries == nil {
					t.Error("the list is missing, not empty")
				}
				for _, j := range page.ModelCustomizationJobSummaries {
					names = append(names, *j.JobName)
				}
			}
			if got := strings.Join(names, " "); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
	_, err := e.ListModelCustomizationJobs(t.Context(), &sdk.ListModelCustomizationJobsInput{NextToken: aws.String("made-up")})
	fails(t, err, "ValidationException", "")
	_, err = e.ListModelCustomizationJobs(t.Context(), &sdk.ListModelCustomizationJobsInput{MaxResults: aws.Int32(1001), SortOrder: "Up"})
	fails(t, err, "ValidationException", "2 validation errors detected: ")
}

func TestStopJob(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	arn := e.createJob("stop-me")
	update(e, arn, outcrop.JobOf, func(j *outcrop.Job) { j.Training.Status = outcrop.PhaseInProgress })
	if _, ok, err := e.store.Claim(t.Context(), outcrop.KindJob, []outcrop.Status{outcrop.JobInProgress}, "worker", time.Hour); !ok || err != nil {
		t.Fatal("the job could not be leased", err)
	}
	for _, identifier := range []string{"stop-me", arn} { // the second finds it stopping
		must(e.StopModelCustomizationJob(t.Context(), &sdk.StopModelCustomizationJobInput{JobIdentifier: &identifier}))(t)
		got := must(e.GetModelCustomizationJob(t.Context(), &sdk.GetModelCustomizationJobInput{JobIdentifier: &arn}))(t)
		if got.Status != "Stopping" || got.StatusDetails.TrainingDetails.Status != "Stopping" || got.StatusDetails.ValidationDetails.Status != "NotStarted" {
			t.Errorf("%+v", got)
		}
	}
	conformsJob(e, arn)
	update(e, arn, outcrop.JobOf, func(j *outcrop.Job) { j.Status = outcrop.JobStopped })
	_, err := e.StopModelCustomizationJob(t.Context(), &sdk.StopModelCustomizationJobInput{JobIdentifier: &arn})
	fails(t, err, "ConflictException", "stop-me is Stopped")
	_, err = e.StopModelCustomizationJob(t.Context(), &sdk.StopModelCustomizationJobInput{JobIdentifier: aws.String("none")})
	fails(t, err, "ResourceNotFoundException", "none does not exist")
}

// TestOthersJobs asks for a job from another account, from another region and by ARNs that
// are almost right.
func TestOthersJobs(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	arn := e.createJob("mine")
	for name, sc := range map[string]outcrop.Scope{
		"account": {Account: "999999999999", Region: home.Region}, "region": {Account: home.Account, Region: "eu-west-1"},
	} {
		_, err := e.client(sc).GetModelCustomizationJob(t.Context(), &sdk.GetModelCustomizationJobInput{JobIdentifier: &arn})
		if err == nil {
			t.Errorf("another %s can read the job", name)
			continue
		}
		fails(t, err, "ResourceNotFoundException", "")
	}
	for _, wrong := range []string{
		strings.Replace(arn, titan, "amazon.titan-text-lite-v1", 1),
		strings.Replace(arn, home.Account, "999999999999", 1),
	} {
		_, err := e.GetModelCustomizationJob(t.Context(), &sdk.GetModelCustomizationJobInput{JobIdentifier: &wrong})
		fails(t, err, "ResourceNotFoundException", wrong)
	}
}
