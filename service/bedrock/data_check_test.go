package bedrock_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/bedrock"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/customize"
	"outcrop.dev/outcrop/engine/datacheck"
	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/engine/tensor/gemm"
	"outcrop.dev/outcrop/models"
	"outcrop.dev/outcrop/service/bedrock"
)

// planner is the one that jobs have, over the embedded model's tokenizer.
type planner struct{ customize.Planner }

func (p planner) PlanJob(ctx context.Context, job *outcrop.Job, base outcrop.ModelFiles, o outcrop.Objects) (outcrop.TrainSpec, []byte, error) {
	base.Dir = "../../models/catalog/pebble"
	return p.Planner.PlanJob(ctx, job, base, o)
}

// checking returns an env whose data are really read.
func checking(t testing.TB, rows string) (*env, *bedrock.Service) {
	e := newEnvWith(t, bedrock.DefaultQuotas())
	e.objects.data["data/train.jsonl"], e.objects.data["data/v1.jsonl"], e.objects.data["data/v2.jsonl"] = rows, goodRow(1), goodRow(2)
	n := 0
	newID := func() string { n++; return fmt.Sprintf("check%07d", n) }
	return e, bedrock.New(e.store, e.objects, catalog{}, models.New(catalog{}, e.store, modelsDir), planner{customize.Planner{Exec: nn.Exec{Kernel: gemm.Best()}}}, e.clock, newID, bedrock.DefaultQuotas(), e.log)
}

func goodRow(n int) string {
	return fmt.Sprintf(`{"prompt":"What is %d and %d?","completion":"It is %d."}`+"\n", n, n, 2*n)
}

// TestEveryRowIsChecked has two mistakes far apart in a long file: the answer names both with
// their lines, and the whole report is in the output prefix.
func TestEveryRowIsChecked(t *testing.T) {
	t.Parallel()
	var rows strings.Builder
	for i := range 3000 {
		switch i {
		case 6:
			rows.WriteString(`{"prompt":"no completion"}` + "\n")
		case 2998:
			rows.WriteString("not JSON\n")
		default:
			rows.WriteString(goodRow(i))
		}
	}
	e, service := checking(t, rows.String())
	_, err := service.CreateModelCustomizationJob(e.ctx(), direct(jobRequest("bad")))
	if outcrop.ReasonOf(err) != outcrop.ReasonBadData || outcrop.CodeOf(err) != outcrop.CodeValidation || !strings.Contains(err.Error(), "line 7: ") || !strings.Contains(err.Error(), "line 2999: ") {
		t.Fatalf("%v", err)
	}
	_, uri, _ := strings.Cut(err.Error(), "The full report is at s3://")
	var report datacheck.Report
	if err := json.Unmarshal([]byte(e.objects.object(strings.TrimSuffix(uri, "."))), &report); err != nil {
		t.Fatalf("%s: %v", uri, err)
	}
	if report.Files[0].ProblemCount != 2 || report.Files[0].Rows != 2998 {
		t.Errorf("%+v", report.Files[0])
	}
	if _, err := e.GetModelCustomizationJob(t.Context(), &sdk.GetModelCustomizationJobInput{JobIdentifier: aws.String("bad")}); err == nil {
		t.Error("the job was created all the same")
	}
}

// TestNoPlanner: a server that cannot check jobs refuses them.
func TestNoPlanner(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	service := bedrock.New(e.store, e.objects, catalog{}, models.New(catalog{}, e.store, modelsDir), nil, e.clock, e.newID, bedrock.DefaultQuotas(), e.log)
	_, err := service.CreateModelCustomizationJob(e.ctx(), direct(jobRequest("job")))
	if outcrop.CodeOf(err) != outcrop.CodeValidation || !strings.Contains(err.Error(), "without what plans jobs") {
		t.Errorf("%v", err)
	}
}

// TestContinuedPreTraining: the type of a job decides which rows it takes, and is shown.
func TestContinuedPreTraining(t *testing.T) {
	t.Parallel()
	documents := `{"input":"A text about rocks."}` + "\n" + `{"input":"Another text."}` + "\n"
	for _, c := range []struct{ kind, rows, want string }{
		{outcrop.ContinuedPreTraining, documents, ""},
		{outcrop.ContinuedPreTraining, goodRow(1), "train.jsonl line 1: this is a row of fine-tuning, and the job is continued pre-training"},
		{"", documents, `train.jsonl line 1: "input" is a row of continued pre-training: create the job with the customization type CONTINUED_PRE_TRAINING`},
		{"", `{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello."}]}`, ""},
		{outcrop.FineTuning, `{"messages":[{"role":"user","content":"Hi"}]}`, `"messages" must end with the assistant`},
	} {
		e, service := checking(t, c.rows)
		in := direct(jobRequest("pretraining"))
		in.CustomizationType, in.ValidationDataConfig = c.kind, nil
		out, err := service.CreateModelCustomizationJob(e.ctx(), in)
		if c.want != "" {
			if outcrop.CodeOf(err) != outcrop.CodeValidation || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%q: %v, want %q", c.kind, err, c.want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", c.kind, err)
			continue
		}
		got, err := e.GetModelCustomizationJob(t.Context(), &sdk.GetModelCustomizationJobInput{JobIdentifier: aws.String(out.JobArn)})
		if err != nil || c.kind != "" && string(got.CustomizationType) != c.kind {
			t.Errorf("%v, %v", got, err)
		}
	}
}

// BenchmarkCreateJob creates jobs of 10,000 rows: what a caller waits for.
func BenchmarkCreateJob(b *testing.B) {
	var rows strings.Builder
	for i := range 10_000 {
		rows.WriteString(goodRow(i))
	}
	e, service := checking(b, rows.String())
	for i := 0; b.Loop(); i++ {
		in := direct(jobRequest(fmt.Sprint("job-", i)))
		key := fmt.Sprint("train-", i) // another one, so that its check is not the last one's
		e.objects.data["data/"+key], in.TrainingDataConfig.S3Uri = e.objects.data["data/train.jsonl"], "s3://data/"+key
		out, err := service.CreateModelCustomizationJob(e.ctx(), in)
		if err != nil {
			b.Fatal(err)
		}
		update(e, out.JobArn, outcrop.JobOf, func(j *outcrop.Job) { j.Status = outcrop.JobStopped })
	}
	b.ReportMetric(10_000*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
