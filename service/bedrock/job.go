package bedrock

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/recipe"
	"outcrop.dev/outcrop/service/internal/resource"
)

var jobs = resource.Noun[*outcrop.Job]{Kind: outcrop.KindJob, Of: outcrop.JobOf, Request: func(j *outcrop.Job) string { return j.Request }}

// liveJobs returns the jobs that wait or run.
func liveJobs(ctx context.Context, r outcrop.Reader, sc outcrop.Scope) ([]*outcrop.Job, error) {
	return jobs.All(ctx, r, sc, outcrop.JobInProgress, outcrop.JobStopping)
}

// checkSupported refuses what the service model allows and we do not do.
func checkSupported(in *CreateModelCustomizationJobInput) error {
	switch {
	case in.CustomizationConfig != nil:
		return errInvalid("customizationConfig is for distillation and reinforcement fine-tuning, which Outcrop does not do. Leave it out to fine-tune.")
	case in.TrainingDataConfig.InvocationLogsConfig != nil:
		return errInvalid("trainingDataConfig.invocationLogsConfig is not supported. Give the training data as trainingDataConfig.s3Uri.")
	case in.TrainingDataConfig.S3Uri == "":
		return errInvalid("trainingDataConfig.s3Uri is missing. Give the S3 URI of the training data.")
	}
	return nil
}

// newJob returns the job that a request asks for.
func (s *Service) newJob(in *CreateModelCustomizationJobInput, base *outcrop.Model) (*outcrop.Job, error) {
	kind := in.CustomizationType
	if kind == "" {
		kind = outcrop.FineTuning
	}
	if !slices.Contains(base.Foundation.Customizations, kind) {
		return nil, errInvalid("The model %s does not support the customization type %s. It supports: %v.", in.BaseModelIdentifier, kind, base.Foundation.Customizations)
	}
	train, err := recipe.Parse(base.Foundation, in.HyperParameters)
	if err != nil {
		return nil, err
	}
	tags, err := tagsOf(in.JobTags)
	if err != nil {
		return nil, err
	}
	modelTags, err := tagsOf(in.CustomModelTags)
	if err != nil {
		return nil, err
	}
	id, now := s.newID(), s.now()
	job := &outcrop.Job{
		Meta: outcrop.Meta{
			Kind: outcrop.KindJob, Scope: base.Scope, ID: id, ARN: base.Scope.ARN(outcrop.KindJob, base.FoundationID+"/"+id),
			Name: in.JobName, Status: outcrop.JobInProgress, Parent: string(base.ARN()), Token: in.ClientRequestToken, Tags: tags, Created: now,
		},
		CustomModelName: in.CustomModelName, CustomModelID: s.newID(), CustomModelTags: modelTags,
		RoleARN: in.RoleArn, BaseModelID: base.Ref(), BaseModelARN: base.FoundationARN(), CustomizationType: kind,
		TrainingURI: in.TrainingDataConfig.S3Uri, OutputURI: in.OutputDataConfig.S3Uri,
		HyperParameters: in.HyperParameters, Train: train, KMSKeyID: in.CustomModelKmsKeyId,
		Validation:     outcrop.Phase{Status: outcrop.PhaseNotStarted, Created: now, Updated: now},
		DataProcessing: outcrop.Phase{Status: outcrop.PhaseNotStarted, Created: now, Updated: now},
		Training:       outcrop.Phase{Status: outcrop.PhaseNotStarted, Created: now, Updated: now},
	}
	if err := together(checkValidation(in, train), checkAdapters(base, train), checkCheckpointNames(in, train)); err != nil {
		return nil, err
	}
	if in.ValidationDataConfig != nil {
		for _, v := range in.ValidationDataConfig.Validators {
			job.ValidationURIs = append(job.ValidationURIs, v.S3Uri)
		}
	}
	job.VPCConfig, err = vpcRecord(in.VpcConfig)
	return job, err
}

// together is one error of all that is invalid; nil if nothing is.
func together(errs ...error) error {
	var all []string
	for _, err := range errs {
		if e := (*outcrop.Error)(nil); errors.As(err, &e) {
			all = append(all, e.Msg)
		}
	}
	if all == nil {
		return nil
	}
	return errInvalid("%s", strings.Join(all, " "))
}

// checkValidation refuses hyperparameters that need validation data of a request without.
func checkValidation(in *CreateModelCustomizationJobInput, train outcrop.TrainSpec) error {
	if train.Validates() && (in.ValidationDataConfig == nil || len(in.ValidationDataConfig.Validators) == 0) {
		return errInvalid("Early stopping and bestCheckpoint go by validation data. Name them in validationDataConfig, or leave out %s.", strings.Join(needingValidation(in.HyperParameters), ", "))
	}
	return nil
}

// needingValidation returns the names of hyperparameters that were given and need validation data.
func needingValidation(given map[string]string) (names []string) {
	for _, name := range []string{"earlyStoppingPatience", "earlyStoppingThreshold", "bestCheckpoint"} {
		if _, ok := given[name]; ok {
			names = append(names, name)
		}
	}
	return names
}

// checkAdapters refuses adapters on adapters.
func checkAdapters(base *outcrop.Model, train outcrop.TrainSpec) error {
	if train.Method == outcrop.MethodLoRA && base.Custom != nil && base.Custom.AdapterOf != "" {
		return errInvalid("The custom model %s is low-rank adapters, and there are no adapters on adapters. Train all of its weights (method full), or train adapters on %s.", base.Custom.Name, base.Custom.AdapterOf)
	}
	return nil
}

// checkCheckpointNames refuses a model name that leaves no room for those of checkpoints.
func checkCheckpointNames(in *CreateModelCustomizationJobInput, train outcrop.TrainSpec) error {
	const nameMax = 63
	if most := nameMax - outcrop.CheckpointSuffixMax; train.KeepCheckpoints > 0 && len(in.CustomModelName) > most {
		return errInvalid("With keepCheckpoints, customModelName may have %d characters: the checkpoints are named after it.", most)
	}
	return nil
}

// vpcRecord is a VPC configuration as a job keeps it: we do nothing with it but show it.
func vpcRecord(v *VpcConfig) (json.RawMessage, error) {
	if v == nil {
		return nil, nil
	}
	return json.Marshal(v)
}
