package bedrock_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/bedrock"

	"outcrop.dev/outcrop/service/bedrock"
)

// keeping is a request for a job that keeps checkpoints.
func keeping(name string) *sdk.CreateModelCustomizationJobInput {
	in := jobRequest(name)
	in.HyperParameters["keepCheckpoints"] = "2"
	return in
}

// TestCheckpointNames: the names that checkpoints will have are taken as soon as the job is
// there, and are not given to a job when somebody has them.
func TestCheckpointNames(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	must(e.CreateModelCustomizationJob(t.Context(), keeping("a")))(t)
	in := jobRequest("b")
	in.CustomModelName = aws.String("a-model-epoch-3")
	_, err := e.CreateModelCustomizationJob(t.Context(), in)
	fails(t, err, "ValidationException", "The provided custom model name is currently in use.")
	in.CustomModelName = aws.String("a-model-epoch-4") // the job has three epochs
	e.complete(*must(e.CreateModelCustomizationJob(t.Context(), in))(t).JobArn)

	in = keeping("c")
	in.CustomModelName = aws.String("a-model")
	in.HyperParameters["epochCount"] = "4"
	_, err = e.CreateModelCustomizationJob(t.Context(), in)
	fails(t, err, "ValidationException", "in use")
	in.CustomModelName = aws.String(strings.Repeat("m", 54))
	must(e.CreateModelCustomizationJob(t.Context(), in))(t)
	in = keeping("d")
	in.CustomModelName = aws.String(strings.Repeat("m", 55))
	_, err = e.CreateModelCustomizationJob(t.Context(), in)
	fails(t, err, "ValidationException", "54 characters")
}

// TestCheckpointsCountAsModels: the quota is of all models that there will be.
func TestCheckpointsCountAsModels(t *testing.T) {
	t.Parallel()
	quotas := bedrock.DefaultQuotas()
	quotas.CustomModels = 4
	e := newEnvWith(t, quotas)
	must(e.CreateModelCustomizationJob(t.Context(), keeping("a")))(t)
	_, err := e.CreateModelCustomizationJob(t.Context(), keeping("b"))
	fails(t, err, "ServiceQuotaExceededException", "custom models")
	must(e.CreateModelCustomizationJob(t.Context(), jobRequest("c")))(t)
}
