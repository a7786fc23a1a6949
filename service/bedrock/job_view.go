package bedrock

import (
	"context"
	"encoding/json"
	"strings"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/recipe"
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

// trainingMetrics is nil as long as there is no loss. AWS has none until the job has ended.
// Ours appears earlier, so that it can be watched.
func trainingMetrics(loss *float64) *TrainingMetrics {
	if loss == nil {
		return nil
	}
	return &TrainingMetrics{TrainingLoss: loss}
}

// showProgress adds the header for a job that has begun to train.
func showProgress(ctx context.Context, j *outcrop.Job) {
	p := j.Progress
	if p.Steps == 0 {
		return
	}
	b, err := json.Marshal(restjson.ProgressView{
		Step: p.Step, Steps: p.Steps, Epoch: p.Epoch, Tokens: p.Tokens, TokensPerSecond: p.TokensPerSecond, ETASeconds: p.ETASeconds,
		PublishedStep: p.PublishedStep, HyperParameters: recipe.Values(j.Train),
	})
	if err != nil {
		return // a number that is none: the rest of the answer is worth having
	}
	restjson.Header(ctx).Set(restjson.HeaderProgress, string(b))
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
