package bedrock_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/bedrock"

	"outcrop.dev/outcrop"
)

// TestAdapters: adapters are checked beside the model that they belong to, which stays as long
// as they do, and are no base of other adapters.
func TestAdapters(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	whole := e.complete(e.createJob("whole"))
	in := jobRequest("adapters")
	in.BaseModelIdentifier = &whole
	in.HyperParameters = map[string]string{"method": "lora"}
	adapters := e.complete(*must(e.CreateModelCustomizationJob(t.Context(), in))(t).JobArn)
	update(e, adapters, outcrop.CustomModelOf, func(m *outcrop.CustomModel) { m.AdapterOf = whole })

	_, err := e.DeleteCustomModel(t.Context(), &sdk.DeleteCustomModelInput{ModelIdentifier: &whole})
	fails(t, err, "ConflictException", "needed by the adapters of the custom model adapters-model")

	in = jobRequest("again")
	in.BaseModelIdentifier, in.HyperParameters = &adapters, map[string]string{"method": "lora"}
	_, err = e.CreateModelCustomizationJob(t.Context(), in)
	fails(t, err, "ValidationException", "there are no adapters on adapters")
	in.HyperParameters = nil
	must(e.CreateModelCustomizationJob(t.Context(), in))(t)
	if m := e.checker.model; !strings.HasPrefix(m.Dir, "/models/id") || !strings.HasPrefix(m.BaseDir, "/models/id") || m.Dir == m.BaseDir {
		t.Errorf("the data were checked for %+v", m)
	}

	must(e.StopModelCustomizationJob(t.Context(), &sdk.StopModelCustomizationJobInput{JobIdentifier: aws.String("again")}))(t)
	update(e, jobARN(e, "again"), outcrop.JobOf, func(j *outcrop.Job) { j.Status = outcrop.JobStopped })
	for _, model := range []string{adapters, whole} {
		must(e.DeleteCustomModel(t.Context(), &sdk.DeleteCustomModelInput{ModelIdentifier: &model}))(t)
	}
}

func jobARN(e *env, name string) string {
	e.Helper()
	return *must(e.GetModelCustomizationJob(e.Context(), &sdk.GetModelCustomizationJobInput{JobIdentifier: &name}))(e.TB).JobArn
}
