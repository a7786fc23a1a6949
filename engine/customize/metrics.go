package customize

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"outcrop.dev/outcrop/engine/recipe"
	"outcrop.dev/outcrop/engine/train"
)

// Where Bedrock puts a job's metrics, below its output prefix. The guide to Bedrock shows the
// second key without the inner folder, AWS's samples with it, and readers of both exist.
const (
	trainingMetricsKey = "training_artifacts/step_wise_training_metrics.csv"
	validationDir      = "validation_artifacts/post_fine_tuning_validation/"
	trainingReportKey  = "training_report.json"
	parityKey          = "parity.json"
	manifestKey        = "manifest.json"
	modelPrefix        = "model/"
)

const (
	csvType  = "text/csv"
	jsonType = "application/json"
	textType = "text/markdown"
	dataType = "application/octet-stream"
)

// validationKeys returns both keys of the metrics of validator i (from 0).
func validationKeys(i int) [2]string {
	name := "validation_metrics.csv"
	if i > 0 {
		name = fmt.Sprintf("validation_metrics_%d.csv", i+1)
	}
	return [2]string{validationDir + "validation/" + name, validationDir + name}
}

// trainingCSV returns the losses of all steps, numbered from 0. Every run of the same job
// writes the same bytes, whatever was killed in between.
func trainingCSV(history []train.Result, stepsPerEpoch int) []byte {
	b := []byte("step_number,epoch_number,training_loss,perplexity\n")
	for i, r := range history {
		b = appendRow(b, i, i/stepsPerEpoch, r.Loss)
	}
	return b
}

// validationCSV returns the losses of one validator. step_number counts the steps that were
// finished, so that 0 is the base model and the last row the result. An evaluation belongs to
// the epoch of the last of those steps: the one at an epoch's end is the result of that epoch.
func validationCSV(evaluations []evaluation, validator, stepsPerEpoch int) []byte {
	b := []byte("step_number,epoch_number,validation_loss,perplexity\n")
	for _, e := range evaluations {
		b = appendRow(b, e.Step, max(e.Step-1, 0)/stepsPerEpoch, e.Losses[validator])
	}
	return b
}

func appendRow(b []byte, step, epoch int, loss float64) []byte {
	b = strconv.AppendInt(b, int64(step), 10)
	b = append(b, ',')
	b = strconv.AppendInt(b, int64(epoch), 10)
	for _, x := range []float64{loss, math.Exp(loss)} {
		form := byte('f')
		if x >= 1e15 { // the perplexity of a run that has gone bad has hundreds of digits
			form = 'e'
		}
		b = append(b, ',')
		b = strconv.AppendFloat(b, x, form, 6, 64)
	}
	return append(b, '\n')
}

// trainingReport is what was chosen for a job, measured on the way, and published.
type trainingReport struct {
	HyperParameters map[string]string `json:"hyperParameters"` // as used
	PlannedMemory   Memory            `json:"plannedMemory"`   // bytes
	StepsPlanned    int               `json:"stepsPlanned"`
	Steps           int               `json:"steps"`
	EndedEarly      bool              `json:"endedEarly"`
	PublishedStep   int               `json:"publishedStep"`
	Evaluations     []evaluation      `json:"evaluations"`
}

func (r *run) trainingReport() []byte {
	b, err := json.MarshalIndent(trainingReport{
		HyperParameters: recipe.Values(r.usedSpec()), PlannedMemory: r.memory, StepsPlanned: r.rows.Steps(), Steps: r.trainer.Steps(),
		EndedEarly: !r.trainer.Done(), PublishedStep: r.progress.PublishedStep, Evaluations: r.evaluations,
	}, "", "  ")
	if err != nil {
		panic("customize: a report that cannot be marshalled: " + err.Error()) // losses are finite: others end the run
	}
	return append(b, '\n')
}

// putMetrics stores the metrics as they are now, at all their keys.
func (r *run) putMetrics() {
	r.putLater(trainingMetricsKey, csvType, trainingCSV(r.trainer.History(), r.rows.StepsPerEpoch()))
	for i := range r.job.ValidationURIs {
		content := validationCSV(r.evaluations, i, r.rows.StepsPerEpoch())
		for _, key := range validationKeys(i) {
			r.putLater(key, csvType, content)
		}
	}
}
