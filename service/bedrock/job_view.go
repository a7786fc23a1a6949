package bedrock

import (
	"context"
	"encoding/json"
	"strings"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/recipe"
	"outcrop.dev/outcrop/wire/restjson"
)

// failureMessageMax is how many characters of a failure message AWS shows.
const failureMessageMax = 2048

func statusDetails(j *outcrop.Job) *StatusDetails {
	return &StatusDetails{
		ValidationDetails:     &ValidationDetails{Status: string(j.Validation.Status), CreationTime: j.Validation.Created, LastModifiedTime: j.Validation.Updated},
		DataProcessingDetails: &DataProcessingDetails{Status: string(j.DataProcessing.Status), CreationTime: j.DataProcessing.Created, LastModifiedTime: j.DataProcessing.Updated},
		TrainingDetails:       &TrainingDetails{Status: string(j.Training.Status), CreationTime: j.Training.Created, LastModifiedTime: j.Training.Updated},
	}
}

// trainingMetrics is nil as long as there is no loss; AWS has none until the job has ended,
// which its callers must bear, and they are glad of one that they can watch.
func trainingMetrics(loss *float64) *TrainingMetrics {
	if loss == nil {
		return nil
	}
	return &TrainingMetrics{TrainingLoss: loss}
}

// headerProgress tells watchers what the service model has no member for.
const headerProgress = "X-Outcrop-Progress"

// progress is that header's value.
type progress struct {
	Step            int     `json:"step"`
	Steps           int     `json:"steps"`
	Epoch           int     `json:"epoch"`
	Tokens          int64   `json:"tokens"` // trained so far
	TokensPerSecond float64 `json:"tokensPerSecond"`
	ETASeconds      float64 `json:"etaSeconds"`
	// PublishedStep is the one whose weights the model has, when that is known.
	PublishedStep int `json:"publishedStep,omitempty"`
	// HyperParameters are all that the job trains with: the caller's, the defaults, what was chosen.
	HyperParameters map[string]string `json:"hyperParameters"`
}

// showProgress adds the header for a job that has begun to train.
func showProgress(ctx context.Context, j *outcrop.Job) {
	p := j.Progress
	if p.Steps == 0 {
		return
	}
	b, err := json.Marshal(progress{p.Step, p.Steps, p.Epoch, p.Tokens, p.TokensPerSecond, p.ETASeconds, p.PublishedStep, recipe.Values(j.Train)})
	if err != nil {
		return // a number that is none: the rest of the answer is worth having
	}
	restjson.Header(ctx).Set(headerProgress, string(b))
}

// validationMetrics has one entry for each validator, or is absent.
func validationMetrics(losses []float64) []ValidatorMetric {
	var m []ValidatorMetric
	for _, loss := range losses {
		m = append(m, ValidatorMetric{ValidationLoss: &loss})
	}
	return m
}

// validationData is never nil: the service model requires it of jobs, also of those without
// validators.
func validationData(uris []string) *ValidationDataConfig {
	c := &ValidationDataConfig{Validators: []Validator{}}
	for _, uri := range uris {
		c.Validators = append(c.Validators, Validator{S3Uri: uri})
	}
	return c
}

// keyARN returns the ARN of a KMS key that was given as its ARN or its id; an alias is not
// resolved.
func keyARN(sc outcrop.Scope, key string) string {
	switch {
	case strings.HasPrefix(key, "arn:") && strings.Contains(key, ":key/"):
		return key
	case key == "" || strings.HasPrefix(key, "arn:") || strings.HasPrefix(key, "alias/"):
		return ""
	}
	return "arn:aws:kms:" + sc.Region + ":" + sc.Account + ":key/" + key
}

func vpcConfig(record json.RawMessage) (*VpcConfig, error) {
	if len(record) == 0 || string(record) == "null" {
		return nil, nil
	}
	v := &VpcConfig{}
	return v, json.Unmarshal(record, v)
}

// clip cuts s to n characters.
func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n])
	}
	return s
}
