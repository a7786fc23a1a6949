package bedrock_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/bedrock"
	"github.com/aws/aws-sdk-go-v2/service/bedrock/types"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/service/bedrock"
	"outcrop.dev/outcrop/service/internal/resource"
)

// guideModel is how the guide names its model: a name where AWS wants an id.
const guideModel = "arn:aws:bedrock:us-east-1:123456789012:custom-model/guide-model"

func reserve(name, model string) *sdk.CreateProvisionedModelThroughputInput {
	return &sdk.CreateProvisionedModelThroughputInput{ProvisionedModelName: &name, ModelId: &model, ModelUnits: aws.Int32(1)}
}

// reserveFor creates throughput and brings it into service.
func (e *env) reserveFor(name, model string) string {
	e.Helper()
	arn := *must(e.CreateProvisionedModelThroughput(e.Context(), reserve(name, model)))(e.TB).ProvisionedModelArn
	update(e, arn, outcrop.ThroughputOf, func(t *outcrop.Throughput) { t.Status = outcrop.ThroughputInService })
	return arn
}

func conformsThroughput(e *env, arn string) {
	e.Helper()
	out, err := e.service.GetProvisionedModelThroughput(e.ctx(), &bedrock.GetProvisionedModelThroughputInput{ProvisionedModelId: arn})
	conforms(e.TB, out, err)
	list, err := e.service.ListProvisionedModelThroughputs(e.ctx(), &bedrock.ListProvisionedModelThroughputsInput{})
	conforms(e.TB, list, err)
}

func TestCreateThroughput(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	model := e.complete(e.createJob("guide"))
	for name, id := range map[string]string{"by-arn": model, "by-name": "guide-model", "as-the-guide": guideModel} {
		arn := *must(e.CreateProvisionedModelThroughput(t.Context(), reserve(name, id)))(t).ProvisionedModelArn
		for _, identifier := range []string{arn, name} {
			got := must(e.GetProvisionedModelThroughput(t.Context(), &sdk.GetProvisionedModelThroughputInput{ProvisionedModelId: &identifier}))(t)
			if *got.ProvisionedModelArn != arn || *got.ProvisionedModelName != name || got.Status != "Creating" || *got.ModelArn != model || *got.DesiredModelArn != model ||
				*got.FoundationModelArn != "arn:aws:bedrock:us-east-1::foundation-model/"+titan || *got.ModelUnits != 1 || *got.DesiredModelUnits != 1 ||
				got.CommitmentDuration != "" || got.CommitmentExpirationTime != nil || got.CreationTime == nil || got.LastModifiedTime == nil {
				t.Errorf("%s: %+v", identifier, got)
			}
		}
		conformsThroughput(e, arn)
	}
	base := *must(e.CreateProvisionedModelThroughput(t.Context(), reserve("base", titan)))(t).ProvisionedModelArn
	conformsThroughput(e, base)
}

func TestCreateThroughputRefusals(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.complete(e.createJob("guide"))
	e.createJob("running")
	failed := e.createJob("failed")
	update(e, failed, outcrop.JobOf, func(j *outcrop.Job) { j.Status = outcrop.JobFailed })
	must(e.CreateProvisionedModelThroughput(t.Context(), reserve("taken", "guide-model")))(t)
	for name, test := range map[string]struct {
		change     func(in *sdk.CreateProvisionedModelThroughputInput)
		code, text string
	}{
		"no such model": {func(in *sdk.CreateProvisionedModelThroughputInput) { in.ModelId = aws.String("other") }, "ResourceNotFoundException", "Could not resolve the model"},
		"no such id": {func(in *sdk.CreateProvisionedModelThroughputInput) {
			in.ModelId = aws.String("arn:aws:bedrock:us-east-1:123456789012:custom-model/" + titan + "/aaaaaaaaaaaa")
		}, "ResourceNotFoundException", "aaaaaaaaaaaa"},
		"another account's": {func(in *sdk.CreateProvisionedModelThroughputInput) {
			in.ModelId = aws.String(strings.Replace(guideModel, "123456789012", "999999999999", 1))
		}, "ResourceNotFoundException", "999999999999"},
		"not finished": {func(in *sdk.CreateProvisionedModelThroughputInput) { in.ModelId = aws.String("running-model") }, "ValidationException", "job running is InProgress"},
		"failed":       {func(in *sdk.CreateProvisionedModelThroughputInput) { in.ModelId = aws.String("failed-model") }, "ResourceNotFoundException", "job failed is Failed"},
		"name taken":   {func(in *sdk.CreateProvisionedModelThroughputInput) { in.ProvisionedModelName = aws.String("taken") }, "ValidationException", "currently in use"},
		"no units":     {func(in *sdk.CreateProvisionedModelThroughputInput) { in.ModelUnits = aws.Int32(0) }, "ValidationException", "'modelUnits' failed to satisfy constraint: Member must have value greater than or equal to 1"},
		"many units":   {func(in *sdk.CreateProvisionedModelThroughputInput) { in.ModelUnits = aws.Int32(bedrock.ModelUnitsMax) }, "ServiceQuotaExceededException", "quota of 40 model units"},
		"commitment":   {func(in *sdk.CreateProvisionedModelThroughputInput) { in.CommitmentDuration = "OneYear" }, "ValidationException", "enum value set: [OneMonth, SixMonths]"},
		"reserved tag": {func(in *sdk.CreateProvisionedModelThroughputInput) {
			in.Tags = []types.Tag{{Key: aws.String("aws:x"), Value: aws.String("")}}
		}, "ValidationException", "is reserved"},
		"tags": {func(in *sdk.CreateProvisionedModelThroughputInput) { in.Tags = manyTags(resource.TagsMax + 1) }, "TooManyTagsException", "51 tags"},
	} {
		t.Run(name, func(t *testing.T) {
			in := reserve("new", "guide-model")
			test.change(in)
			_, err := e.CreateProvisionedModelThroughput(t.Context(), in)
			fails(t, err, test.code, test.text)
		})
	}
	in := reserve("at-the-limit", "guide-model")
	in.ModelUnits, in.Tags = aws.Int32(bedrock.ModelUnitsMax-1), manyTags(resource.TagsMax)
	must(e.CreateProvisionedModelThroughput(t.Context(), in))(t)
}

func TestThroughputQuota(t *testing.T) {
	t.Parallel()
	e := newEnvWith(t, bedrock.Quotas{Throughputs: 1, ModelUnits: 9})
	e.reserveFor("one", titan)
	_, err := e.CreateProvisionedModelThroughput(t.Context(), reserve("two", titan))
	fails(t, err, "ServiceQuotaExceededException", "quota of 1 provisioned model throughputs")
}

func TestThroughputRequestToken(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	in := reserve("once", titan)
	in.ClientRequestToken = aws.String("token-1")
	first := must(e.CreateProvisionedModelThroughput(t.Context(), in))(t)
	if again := must(e.CreateProvisionedModelThroughput(t.Context(), in))(t); *again.ProvisionedModelArn != *first.ProvisionedModelArn {
		t.Errorf("%s, then %s", *first.ProvisionedModelArn, *again.ProvisionedModelArn)
	}
	in.ModelUnits = aws.Int32(2)
	_, err := e.CreateProvisionedModelThroughput(t.Context(), in)
	fails(t, err, "ValidationException", "token-1")
}

// TestTokenOutlivesAnUpdate sends a request again after its throughput got another name and
// model, and its model was deleted.
func TestTokenOutlivesAnUpdate(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	first, second := e.complete(e.createJob("first")), e.complete(e.createJob("second"))
	in := reserve("prod", first)
	in.ClientRequestToken = aws.String("token-1")
	arn := *must(e.CreateProvisionedModelThroughput(t.Context(), in))(t).ProvisionedModelArn
	update(e, arn, outcrop.ThroughputOf, func(t *outcrop.Throughput) {
		t.Name, t.ModelARN, t.DesiredModelARN, t.Status = "renamed", outcrop.ARN(second), outcrop.ARN(second), outcrop.ThroughputInService
	})
	must(e.DeleteCustomModel(t.Context(), &sdk.DeleteCustomModelInput{ModelIdentifier: &first}))(t)
	if again := *must(e.CreateProvisionedModelThroughput(t.Context(), in))(t).ProvisionedModelArn; again != arn {
		t.Errorf("%s, then %s", arn, again)
	}
	now := reserve("renamed", second) // what it has become was never asked for
	now.ClientRequestToken = in.ClientRequestToken
	_, err := e.CreateProvisionedModelThroughput(t.Context(), now)
	fails(t, err, "ValidationException", "token-1")
}

func TestCommitment(t *testing.T) {
	t.Parallel()
	for duration, days := range map[types.CommitmentDuration]int{"OneMonth": 30, "SixMonths": 183} {
		t.Run(string(duration), func(t *testing.T) {
			t.Parallel()
			e := newEnv(t)
			in := reserve("committed", titan)
			in.CommitmentDuration = duration
			arn := must(e.CreateProvisionedModelThroughput(t.Context(), in))(t).ProvisionedModelArn
			got := must(e.GetProvisionedModelThroughput(t.Context(), &sdk.GetProvisionedModelThroughputInput{ProvisionedModelId: arn}))(t)
			if held := got.CommitmentExpirationTime.Sub(*got.CreationTime); got.CommitmentDuration != duration || held != time.Duration(days)*24*time.Hour {
				t.Errorf("%s for %v", got.CommitmentDuration, held)
			}
			conformsThroughput(e, *arn)
			e.advance(time.Duration(days)*24*time.Hour - time.Minute)
			_, err := e.DeleteProvisionedModelThroughput(t.Context(), &sdk.DeleteProvisionedModelThroughputInput{ProvisionedModelId: arn})
			fails(t, err, "ConflictException", "has a commitment ("+string(duration)+") until 2025-")
			e.advance(time.Minute)
			must(e.DeleteProvisionedModelThroughput(t.Context(), &sdk.DeleteProvisionedModelThroughputInput{ProvisionedModelId: arn}))(t)
		})
	}
}

func TestUpdateThroughput(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	first, second := e.complete(e.createJob("first")), e.complete(e.createJob("second"))
	arn := e.reserveFor("prod", first)
	e.reserveFor("other", first)
	change := func(name, model string) error {
		in := &sdk.UpdateProvisionedModelThroughputInput{ProvisionedModelId: &arn}
		if name != "" {
			in.DesiredProvisionedModelName = &name
		}
		if model != "" {
			in.DesiredModelId = &model
		}
		_, err := e.UpdateProvisionedModelThroughput(t.Context(), in)
		return err
	}
	get := func() *sdk.GetProvisionedModelThroughputOutput {
		return must(e.GetProvisionedModelThroughput(t.Context(), &sdk.GetProvisionedModelThroughputInput{ProvisionedModelId: &arn}))(t)
	}

	fails(t, change("", ""), "ValidationException", "nothing to update")
	fails(t, change("other", ""), "ValidationException", "currently in use")
	fails(t, change("", "nothing"), "ResourceNotFoundException", "nothing")
	if err := change("renamed", first); err != nil {
		t.Fatal(err)
	}
	if got := get(); *got.ProvisionedModelName != "renamed" || got.Status != "InService" {
		t.Errorf("renamed: %+v", got)
	}
	if err := change("", second); err != nil {
		t.Fatal(err)
	}
	if got := get(); *got.ModelArn != first || *got.DesiredModelArn != second || got.Status != "Updating" {
		t.Errorf("updating: %+v", got)
	}
	conformsThroughput(e, arn)
	fails(t, change("again", ""), "ValidationException", "renamed is Updating")
	_, err := e.DeleteProvisionedModelThroughput(t.Context(), &sdk.DeleteProvisionedModelThroughputInput{ProvisionedModelId: &arn})
	fails(t, err, "ConflictException", "is Updating")
	for _, model := range []string{first, second} {
		_, err := e.DeleteCustomModel(t.Context(), &sdk.DeleteCustomModelInput{ModelIdentifier: &model})
		fails(t, err, "ConflictException", "in use by the provisioned model throughput")
	}

	// An update that failed can be taken back; a new name alone mends nothing.
	update(e, arn, outcrop.ThroughputOf, func(t *outcrop.Throughput) {
		t.Status, t.FailureMessage = outcrop.ThroughputFailed, "It is broken."
	})
	fails(t, change("again", ""), "ValidationException", "renamed is Failed; only")
	if err := change("", first); err != nil {
		t.Fatal(err)
	}
	if got := get(); *got.DesiredModelArn != first || got.Status != "Updating" || got.FailureMessage != nil {
		t.Errorf("taken back: %+v", got)
	}
}

func TestThroughputOfAnotherBase(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	model := e.complete(e.createJob("tuned"))
	base := e.reserveFor("base", titan)
	_, err := e.UpdateProvisionedModelThroughput(t.Context(), &sdk.UpdateProvisionedModelThroughputInput{ProvisionedModelId: &base, DesiredModelId: &model})
	fails(t, err, "ValidationException", "was made for a foundation model")
	// One that has failed, for want of memory, may be tried again with the model that it was made for.
	update(e, base, outcrop.ThroughputOf, func(t *outcrop.Throughput) { t.Status, t.FailureMessage = outcrop.ThroughputFailed, "No room." })
	must(e.UpdateProvisionedModelThroughput(t.Context(), &sdk.UpdateProvisionedModelThroughputInput{ProvisionedModelId: &base, DesiredModelId: aws.String(titan)}))(t)
	if got := must(e.GetProvisionedModelThroughput(t.Context(), &sdk.GetProvisionedModelThroughputInput{ProvisionedModelId: &base}))(t); got.Status != "Updating" || got.FailureMessage != nil {
		t.Errorf("tried again: %+v", got)
	}
	tuned := e.reserveFor("tuned", model)
	_, err = e.UpdateProvisionedModelThroughput(t.Context(), &sdk.UpdateProvisionedModelThroughputInput{ProvisionedModelId: &tuned, DesiredModelId: aws.String(pebble)})
	fails(t, err, "ValidationException", "goes back to")
	must(e.UpdateProvisionedModelThroughput(t.Context(), &sdk.UpdateProvisionedModelThroughputInput{ProvisionedModelId: &tuned, DesiredModelId: aws.String(titan)}))(t)
}

func TestListAndDeleteThroughputs(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	model := e.complete(e.createJob("tuned"))
	one, two := e.reserveFor("one-prod", model), e.reserveFor("two-prod", titan)
	must(e.CreateProvisionedModelThroughput(t.Context(), reserve("three", titan)))(t)
	for name, test := range map[string]struct {
		in   sdk.ListProvisionedModelThroughputsInput
		want string
	}{
		"all":    {sdk.ListProvisionedModelThroughputsInput{MaxResults: aws.Int32(2)}, "three two-prod one-prod"},
		"model":  {sdk.ListProvisionedModelThroughputsInput{ModelArnEquals: &model}, "one-prod"},
		"name":   {sdk.ListProvisionedModelThroughputsInput{NameContains: aws.String("prod"), SortOrder: "Ascending"}, "one-prod two-prod"},
		"status": {sdk.ListProvisionedModelThroughputsInput{StatusEquals: "Creating"}, "three"},
	} {
		var names []string
		for pages := sdk.NewListProvisionedModelThroughputsPaginator(e, &test.in); pages.HasMorePages(); {
			for _, p := range must(pages.NextPage(t.Context()))(t).ProvisionedModelSummaries {
				names = append(names, *p.ProvisionedModelName)
			}
		}
		if got := strings.Join(names, " "); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
	for _, identifier := range []string{one, "two-prod"} {
		must(e.DeleteProvisionedModelThroughput(t.Context(), &sdk.DeleteProvisionedModelThroughputInput{ProvisionedModelId: &identifier}))(t)
	}
	_, err := e.GetProvisionedModelThroughput(t.Context(), &sdk.GetProvisionedModelThroughputInput{ProvisionedModelId: &two})
	fails(t, err, "ResourceNotFoundException", two)
	must(e.DeleteCustomModel(t.Context(), &sdk.DeleteCustomModelInput{ModelIdentifier: &model}))(t)
}
