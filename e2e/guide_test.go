// Package e2e holds the end-to-end tests: real clients against the real program. The Go
// tests here run in every make test; run.sh (make e2e) adds the clients of other languages.
package e2e

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrock"
	"github.com/aws/aws-sdk-go-v2/service/bedrock/types"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"

	"outcrop.dev/outcrop/cli/demo"
	"outcrop.dev/outcrop/e2e/harness"
)

var bin string

func TestMain(m *testing.M) { harness.Main(m, &bin) }

// jobTimeout bounds a job of a few hundred rows on a slow machine that does other things too.
const jobTimeout = 8 * time.Minute

// The calls of a user who prepares data, uploads it, tunes a model, watches, reserves
// throughput and asks: with the AWS SDK for Go, by the ids and names that such users write.
func TestGuideWithGo(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, bin, t.TempDir())
	tuning := harness.Tuning{
		Name: "medical-summaries", Base: "amazon.titan-text-express-v1",
		Rows: 96, Validation: 16, Epochs: 2, Batch: 8, LearningRate: "0.00001",
	}
	arn := tuning.Create(t, s)
	job, err := harness.AwaitJob(t.Context(), s, arn, jobTimeout)
	if err != nil {
		t.Fatal(err)
	}
	if job.Status != types.ModelCustomizationJobStatusCompleted {
		t.Fatalf("the job is %s: %s", job.Status, aws.ToString(job.FailureMessage))
	}
	checkLosses(t, s, tuning, job)
	base := ask(t, s, tuning.Base)
	// By a name where an ARN has its id, and at once, without waiting for InService.
	throughput := provision(t, s, "arn:aws:bedrock:us-east-1:123456789012:custom-model/"+tuning.Name)
	tuned := ask(t, s, throughput)
	if tuned == base {
		t.Errorf("the tuned model answers as the base model does: %q", tuned)
	}
}

func checkLosses(t *testing.T, s *harness.Server, tuning harness.Tuning, job *bedrock.GetModelCustomizationJobOutput) {
	t.Helper()
	arn := aws.ToString(job.JobArn)
	folder := tuning.Name + "/output/model-customization-job-" + arn[strings.LastIndexByte(arn, '/')+1:]
	losses := column(t, harness.Object(t, s, folder+"/training_artifacts/step_wise_training_metrics.csv"), "training_loss")
	if want := tuning.Epochs * tuning.Rows / tuning.Batch; len(losses) != want {
		t.Errorf("%d rows of training losses, want %d", len(losses), want)
	}
	if first, last := losses[0], losses[len(losses)-1]; !(last < first) {
		t.Errorf("the training loss does not fall: %g, then %g", first, last)
	}
	const post = "/validation_artifacts/post_fine_tuning_validation/"
	one, two := harness.Object(t, s, folder+post+"validation_metrics.csv"), harness.Object(t, s, folder+post+"validation/validation_metrics.csv")
	if string(one) != string(two) {
		t.Errorf("the two validation files differ:\n%s\n%s", one, two)
	}
	validation := column(t, one, "validation_loss")
	if n := len(validation); n < 2 || !(validation[n-1] < validation[0]) {
		t.Errorf("the validation loss does not fall: %v", validation)
	}
	if job.TrainingMetrics == nil || len(job.ValidationMetrics) != 1 {
		t.Errorf("a completed job without its metrics: %+v", job)
	}
}

// column reads a named column of a metrics file.
func column(t *testing.T, b []byte, name string) (values []float64) {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(string(b))).ReadAll()
	if err != nil || len(rows) < 2 {
		t.Fatalf("a metrics file of %d rows, %v:\n%s", len(rows), err, b)
	}
	if got, want := strings.Join(rows[0], ","), "step_number,epoch_number,"+name+",perplexity"; got != want {
		t.Fatalf("header %q, want %q", got, want)
	}
	for _, row := range rows[1:] {
		x, err := strconv.ParseFloat(row[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, x)
	}
	return values
}

func provision(t *testing.T, s *harness.Server, model string) string {
	t.Helper()
	out, err := bedrock.NewFromConfig(s.Config()).CreateProvisionedModelThroughput(t.Context(), &bedrock.CreateProvisionedModelThroughputInput{
		ProvisionedModelName: aws.String("medical-prod"), ModelId: aws.String(model), ModelUnits: aws.Int32(1),
	})
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(out.ProvisionedModelArn)
}

func ask(t *testing.T, s *harness.Server, model string) string {
	t.Helper()
	body := `{"inputText":"Summarize this patient note: 65yo female with cough for 3 days. BP 120/80, HR 72.",` +
		`"textGenerationConfig":{"maxTokenCount":48,"temperature":0}}`
	out, err := bedrockruntime.NewFromConfig(s.Config()).InvokeModel(t.Context(), &bedrockruntime.InvokeModelInput{
		ModelId: aws.String(model), Body: []byte(body),
	})
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Results []struct {
			OutputText string
			TokenCount int
		}
	}
	if err := json.Unmarshal(out.Body, &answer); err != nil || len(answer.Results) != 1 || answer.Results[0].TokenCount == 0 {
		t.Fatalf("%s, %v: want one result with tokens", out.Body, err)
	}
	return answer.Results[0].OutputText
}

// The same calls with boto3, where python3 has it.
func TestGuideWithBoto3(t *testing.T) {
	t.Parallel()
	if out, err := exec.Command("python3", "-c", "import boto3").CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: python3 has no boto3 (pip install boto3 to run this): %v %s", err, out)
	}
	s := harness.Start(t, bin, t.TempDir())
	work := t.TempDir()
	if err := demo.Extract(work); err != nil {
		t.Fatal(err)
	}
	script, err := filepath.Abs("boto3_calls.py")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("python3", script, filepath.Join(work, "train.jsonl"), filepath.Join(work, "validation.jsonl"))
	cmd.Env, cmd.Dir = append(s.Environ(), "PYTHONDONTWRITEBYTECODE=1"), work
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(work, "step_wise_training_metrics.csv")); err != nil {
		t.Errorf("the script did not download the losses: %v", err)
	}
}
