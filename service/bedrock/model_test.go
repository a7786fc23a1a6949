package bedrock_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/bedrock"
	"github.com/aws/aws-sdk-go-v2/service/bedrock/types"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/models"
	"outcrop.dev/outcrop/service/bedrock"
	"outcrop.dev/outcrop/service/internal/resource"
)

func TestCustomModels(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	job := e.createJob("first")
	first := e.complete(job)
	in := jobRequest("second")
	in.BaseModelIdentifier = &first
	second := e.complete(*must(e.CreateModelCustomizationJob(t.Context(), in))(t).JobArn)

	for _, identifier := range []string{first, "first-model", "arn:aws:bedrock:us-east-1:123456789012:custom-model/first-model"} {
		got := must(e.GetCustomModel(t.Context(), &sdk.GetCustomModelInput{ModelIdentifier: &identifier}))(t)
		if *got.ModelArn != first || *got.ModelName != "first-model" || *got.JobArn != job || *got.JobName != "first" || got.ModelStatus != "Active" ||
			*got.BaseModelArn != "arn:aws:bedrock:us-east-1::foundation-model/"+titan || got.HyperParameters["epochCount"] != "3" ||
			*got.TrainingMetrics.TrainingLoss != 0.5 || len(got.ValidationMetrics) != 2 || *got.OutputDataConfig.S3Uri != "s3://out/jobs/" ||
			got.CustomizationType != "FINE_TUNING" || len(got.ValidationDataConfig.Validators) != 2 || got.ModelKmsKeyArn == nil {
			t.Errorf("%s: %+v", identifier, got)
		}
	}
	if got := must(e.GetCustomModel(t.Context(), &sdk.GetCustomModelInput{ModelIdentifier: &second}))(t); *got.BaseModelArn != first {
		t.Errorf("the base of a model of a model: %s", *got.BaseModelArn)
	}
	for _, arn := range []string{first, second} {
		out, err := e.service.GetCustomModel(e.ctx(), &bedrock.GetCustomModelInput{ModelIdentifier: arn})
		conforms(t, out, err)
	}
	list, err := e.service.ListCustomModels(e.ctx(), &bedrock.ListCustomModelsInput{})
	conforms(t, list, err)

	foundation := aws.String("arn:aws:bedrock:us-east-1::foundation-model/" + titan)
	for name, test := range map[string]struct {
		in   sdk.ListCustomModelsInput
		want string
	}{
		"all":        {sdk.ListCustomModelsInput{MaxResults: aws.Int32(1)}, "second-model first-model"},
		"base":       {sdk.ListCustomModelsInput{BaseModelArnEquals: &first}, "second-model"},
		"made of it": {sdk.ListCustomModelsInput{BaseModelArnEquals: foundation, MaxResults: aws.Int32(1)}, "first-model"},
		"foundation": {sdk.ListCustomModelsInput{FoundationModelArnEquals: foundation}, "second-model first-model"},
		"other":      {sdk.ListCustomModelsInput{FoundationModelArnEquals: aws.String("arn:aws:bedrock:us-east-1::foundation-model/" + pebble)}, ""},
		"name":       {sdk.ListCustomModelsInput{NameContains: aws.String("first"), IsOwned: aws.Bool(true)}, "first-model"},
		"shared":     {sdk.ListCustomModelsInput{IsOwned: aws.Bool(false)}, ""},
		"status":     {sdk.ListCustomModelsInput{ModelStatus: "Active"}, "second-model first-model"},
		"creating":   {sdk.ListCustomModelsInput{ModelStatus: "Creating"}, ""},
	} {
		var names []string
		for pages := sdk.NewListCustomModelsPaginator(e, &test.in); pages.HasMorePages(); {
			for _, m := range must(pages.NextPage(t.Context()))(t).ModelSummaries {
				names = append(names, *m.ModelName)
				if *m.BaseModelName != titan || *m.OwnerAccountId != home.Account {
					t.Errorf("%+v", m)
				}
			}
		}
		if got := strings.Join(names, " "); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}

	must(e.DeleteCustomModel(t.Context(), &sdk.DeleteCustomModelInput{ModelIdentifier: aws.String("first-model")}))(t)
	_, err = e.GetCustomModel(t.Context(), &sdk.GetCustomModelInput{ModelIdentifier: &first})
	fails(t, err, "ResourceNotFoundException", first)
	_, err = e.DeleteCustomModel(t.Context(), &sdk.DeleteCustomModelInput{ModelIdentifier: &first})
	fails(t, err, "ResourceNotFoundException", first)
}

func TestFoundationModels(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	for name, test := range map[string]struct {
		in   sdk.ListFoundationModelsInput
		want string
	}{
		"all":      {sdk.ListFoundationModelsInput{}, pebble + " " + titan},
		"provider": {sdk.ListFoundationModelsInput{ByProvider: aws.String("Outcrop")}, pebble + " " + titan},
		"none":     {sdk.ListFoundationModelsInput{ByProvider: aws.String("Anthropic")}, ""},
		"tunable":  {sdk.ListFoundationModelsInput{ByCustomizationType: "FINE_TUNING", ByInferenceType: "PROVISIONED", ByOutputModality: "TEXT"}, pebble + " " + titan},
		"images":   {sdk.ListFoundationModelsInput{ByOutputModality: "IMAGE"}, ""},
		"distill":  {sdk.ListFoundationModelsInput{ByCustomizationType: "DISTILLATION"}, ""},
	} {
		out := must(e.ListFoundationModels(t.Context(), &test.in))(t)
		var ids []string
		for _, m := range out.ModelSummaries {
			ids = append(ids, *m.ModelId)
		}
		if got := strings.Join(ids, " "); got != test.want || out.ModelSummaries == nil {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
	for _, id := range []string{titan, "arn:aws:bedrock:us-east-1::foundation-model/" + titan, titan + ":0:8k"} {
		m := must(e.GetFoundationModel(t.Context(), &sdk.GetFoundationModelInput{ModelIdentifier: &id}))(t).ModelDetails
		if !strings.HasPrefix(*m.ModelId, titan) || *m.ModelName != "Pebble v1" || *m.ProviderName != "Outcrop" || !*m.ResponseStreamingSupported ||
			m.ModelLifecycle.Status != types.FoundationModelLifecycleStatusActive || !strings.HasSuffix(*m.ModelArn, *m.ModelId) {
			t.Errorf("%s: %+v", id, m)
		}
		out, err := e.service.GetFoundationModel(e.ctx(), &bedrock.GetFoundationModelInput{ModelIdentifier: id})
		conforms(t, out, err)
	}
	list, err := e.service.ListFoundationModels(e.ctx(), &bedrock.ListFoundationModelsInput{})
	conforms(t, list, err)
	_, err = e.GetFoundationModel(t.Context(), &sdk.GetFoundationModelInput{ModelIdentifier: aws.String("meta.llama3")})
	fails(t, err, "ResourceNotFoundException", "meta.llama3")

	got := must(e.GetFoundationModelAvailability(t.Context(), &sdk.GetFoundationModelAvailabilityInput{ModelId: aws.String(titan)}))(t)
	if got.AgreementAvailability.Status != "AVAILABLE" || got.AuthorizationStatus != "AUTHORIZED" {
		t.Errorf("%+v", got)
	}
	_, err = e.GetFoundationModelAvailability(t.Context(), &sdk.GetFoundationModelAvailabilityInput{ModelId: aws.String("meta.llama3")})
	fails(t, err, "ResourceNotFoundException", "meta.llama3")
}

func TestTags(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	job := e.createJob("tagged")
	model := e.complete(job)
	throughput := e.reserveFor("tagged", model)
	tagsOf := func(arn string) string {
		var s []string
		for _, tag := range must(e.ListTagsForResource(t.Context(), &sdk.ListTagsForResourceInput{ResourceARN: &arn}))(t).Tags {
			s = append(s, *tag.Key+"="+*tag.Value)
		}
		return strings.Join(s, " ")
	}
	for arn, want := range map[string]string{job: "team=red", model: "model=", throughput: ""} {
		if got := tagsOf(arn); got != want {
			t.Errorf("%s: %q, want %q", arn, got, want)
		}
		must(e.TagResource(t.Context(), &sdk.TagResourceInput{ResourceARN: &arn, Tags: []types.Tag{
			{Key: aws.String("team"), Value: aws.String("blue")}, {Key: aws.String("a b"), Value: aws.String("c/d")}}}))(t)
		must(e.UntagResource(t.Context(), &sdk.UntagResourceInput{ResourceARN: &arn, TagKeys: []string{"model", "none"}}))(t)
		if got := tagsOf(arn); got != "a b=c/d team=blue" {
			t.Errorf("%s: %q", arn, got)
		}
	}
	_, err := e.TagResource(t.Context(), &sdk.TagResourceInput{ResourceARN: &job, Tags: manyTags(resource.TagsMax - 1)})
	fails(t, err, "TooManyTagsException", "51 tags, and may have 50")
	must(e.TagResource(t.Context(), &sdk.TagResourceInput{ResourceARN: &job, Tags: manyTags(resource.TagsMax - 2)}))(t)
	_, err = e.TagResource(t.Context(), &sdk.TagResourceInput{ResourceARN: &job, Tags: []types.Tag{{Key: aws.String("Aws:x"), Value: aws.String("")}}})
	fails(t, err, "ValidationException", "is reserved")
	must(e.TagResource(t.Context(), &sdk.TagResourceInput{ResourceARN: &model, Tags: []types.Tag{{Key: aws.String("aws"), Value: aws.String("")}}}))(t)

	gone := strings.Replace(throughput, "provisioned-model/id", "provisioned-model/no", 1)
	_, err = e.ListTagsForResource(t.Context(), &sdk.ListTagsForResourceInput{ResourceARN: &gone})
	fails(t, err, "ResourceNotFoundException", gone)
	_, err = e.ListTagsForResource(t.Context(), &sdk.ListTagsForResourceInput{ResourceARN: aws.String("arn:aws:bedrock:us-east-1:123456789012:guardrail/abcdefghijkl")})
	fails(t, err, "ValidationException", "cannot have tags")
}

// busyStore changes the record that is to be written just before it is, a number of times.
type busyStore struct {
	outcrop.Store
	collisions int
}

func (s *busyStore) Apply(ctx context.Context, changes ...outcrop.Change) error {
	if changes[0].Op != outcrop.OpCreate && s.collisions > 0 {
		s.collisions--
		rec, err := s.Get(ctx, outcrop.Key{ARN: changes[0].Record.ARN})
		if err != nil {
			return err
		}
		if err := s.Store.Apply(ctx, outcrop.Change{Op: outcrop.OpUpdate, Record: rec}); err != nil {
			return err
		}
	}
	return s.Store.Apply(ctx, changes...)
}

// TestWritesThatCollide tags a job whose row a worker changes between the reading and the
// writing, some times and for ever.
func TestWritesThatCollide(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	arn := e.createJob("busy")
	busy := &busyStore{Store: e.store}
	service := bedrock.New(busy, e.objects, catalog{}, models.New(catalog{}, busy, modelsDir), e.checker, e.clock, func() string { return "" }, bedrock.DefaultQuotas(), slog.Default())
	in := &bedrock.TagResourceInput{ResourceARN: arn, Tags: []bedrock.Tag{{Key: "k", Value: "v"}}}
	busy.collisions = 5
	if _, err := service.TagResource(e.ctx(), in); err != nil || busy.collisions != 0 {
		t.Errorf("%v, %d collisions left", err, busy.collisions)
	}
	busy.collisions = 1 << 20
	if _, err := service.TagResource(e.ctx(), in); outcrop.CodeOf(err) != outcrop.CodeThrottling {
		t.Errorf("for ever: %v", err)
	}
}

func TestUnimplemented(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	_, err := e.ListGuardrails(t.Context(), &sdk.ListGuardrailsInput{})
	fails(t, err, "ValidationException", "does not implement the operation ListGuardrails")
	_, err = e.ListModelImportJobs(t.Context(), &sdk.ListModelImportJobsInput{})
	fails(t, err, "ValidationException", "does not implement the operation ListModelImportJobs")
	_, err = e.GetModelInvocationLoggingConfiguration(t.Context(), &sdk.GetModelInvocationLoggingConfigurationInput{})
	fails(t, err, "AccessDeniedException", "does not implement the operation GetModelInvocationLoggingConfiguration")
}
