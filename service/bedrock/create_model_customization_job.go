package bedrock

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"outcrop.dev/outcrop"
)

// CreateModelCustomizationJob checks the request, the files it names and every row of its
// data, and writes the job's row, which is its place in the queue. Nothing that can be known
// now is left for the job to fail on.
func (s *Service) CreateModelCustomizationJob(ctx context.Context, in *CreateModelCustomizationJobInput) (*CreateModelCustomizationJobOutput, error) {
	sc, err := scope(ctx)
	if err != nil {
		return nil, err
	}
	if err := supported(in); err != nil {
		return nil, err
	}
	request, err := fingerprint(in)
	if err != nil {
		return nil, err
	}
	if done, err := s.sameJob(ctx, sc, in.ClientRequestToken, request); done != nil || err != nil {
		return done, err
	}
	base, err := s.models.Find(ctx, sc, in.BaseModelIdentifier)
	if err != nil {
		return nil, err
	}
	job, err := s.newJob(in, base)
	if err != nil {
		return nil, err
	}
	job.Request = request
	if err := s.admissible(ctx, job); err != nil {
		return nil, err // before the data are read: that takes a while
	}
	if err := s.checkJobData(ctx, job, base); err != nil {
		return nil, err
	}
	if err := adapts(base, job.Train); err != nil {
		return nil, err // the method was chosen with the data
	}
	return s.admitJob(ctx, job)
}

// supported refuses what the service model allows and we do not do.
func supported(in *CreateModelCustomizationJobInput) error {
	switch {
	case in.CustomizationConfig != nil:
		return invalid("customizationConfig is for distillation and reinforcement fine-tuning, which Outcrop does not do. Leave it out to fine-tune.")
	case in.TrainingDataConfig.InvocationLogsConfig != nil:
		return invalid("trainingDataConfig.invocationLogsConfig is not supported. Give the training data as trainingDataConfig.s3Uri.")
	case in.TrainingDataConfig.S3Uri == "":
		return invalid("trainingDataConfig.s3Uri is missing. Give the S3 URI of the training data.")
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
		return nil, invalid("The model %s does not support the customization type %s. It supports: %v.", in.BaseModelIdentifier, kind, base.Foundation.Customizations)
	}
	train, err := outcrop.ParseHyperParameters(base.Foundation, in.HyperParameters)
	if err != nil {
		return nil, err
	}
	tags, err := tagMap(in.JobTags)
	if err != nil {
		return nil, err
	}
	modelTags, err := tagMap(in.CustomModelTags)
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
	if err := together(validates(in, train), adapts(base, train), nameable(in, train)); err != nil {
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
	return invalid("%s", strings.Join(all, " "))
}

// validates refuses hyperparameters that need validation data of a request without.
func validates(in *CreateModelCustomizationJobInput, train outcrop.TrainSpec) error {
	if train.Validates() && (in.ValidationDataConfig == nil || len(in.ValidationDataConfig.Validators) == 0) {
		return invalid("Early stopping and bestCheckpoint go by validation data. Name them in validationDataConfig, or leave out %s.", strings.Join(validating(in.HyperParameters), ", "))
	}
	return nil
}

// validating returns the names of hyperparameters that were given and need validation data.
func validating(given map[string]string) (names []string) {
	for _, name := range []string{"earlyStoppingPatience", "earlyStoppingThreshold", "bestCheckpoint"} {
		if _, ok := given[name]; ok {
			names = append(names, name)
		}
	}
	return names
}

// adapts refuses adapters on adapters.
func adapts(base *outcrop.Model, train outcrop.TrainSpec) error {
	if train.Method == outcrop.MethodLoRA && base.Custom != nil && base.Custom.AdapterOf != "" {
		return invalid("The custom model %s is low-rank adapters, and there are no adapters on adapters. Train all of its weights (method full), or train adapters on %s.", base.Custom.Name, base.Custom.AdapterOf)
	}
	return nil
}

// nameable refuses a name that leaves no room for those of checkpoints.
func nameable(in *CreateModelCustomizationJobInput, train outcrop.TrainSpec) error {
	const nameMax = 63
	if most := nameMax - outcrop.CheckpointSuffixMax; train.KeepCheckpoints > 0 && len(in.CustomModelName) > most {
		return invalid("With keepCheckpoints, customModelName may have %d characters: the checkpoints are named after it.", most)
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

// sameJob answers a request whose token has created a job before, nil if it has not.
func (s *Service) sameJob(ctx context.Context, sc outcrop.Scope, token, request string) (*CreateModelCustomizationJobOutput, error) {
	rec, ok, err := s.createdBy(ctx, outcrop.KindJob, sc, token)
	if !ok || err != nil {
		return nil, err
	}
	first, err := outcrop.JobOf(rec)
	if err != nil {
		return nil, err
	}
	if first.Request != request {
		return nil, reused(outcrop.CodeConflict, token)
	}
	return &CreateModelCustomizationJobOutput{JobArn: string(first.ARN)}, nil
}

// admissible checks a new job against the jobs and models there are: the names must be free
// and the quotas not used up.
func (s *Service) admissible(ctx context.Context, job *outcrop.Job) error {
	if _, err := s.store.Get(ctx, outcrop.Key{Kind: outcrop.KindJob, Scope: job.Scope, Ref: job.Name}); err == nil {
		return invalid("The provided job name is currently in use.")
	} else if outcrop.CodeOf(err) != outcrop.CodeNotFound {
		return err
	}
	live, err := s.liveJobs(ctx, job.Scope)
	if err != nil {
		return err
	}
	if len(live) >= s.quotas.JobsInProgress {
		return exceeded("jobs in progress", s.quotas.JobsInProgress, "Wait until one has ended, or stop one.")
	}
	if err := s.modelNameFree(ctx, job, live); err != nil {
		return err
	}
	models, err := all(ctx, s, outcrop.Query{Kind: outcrop.KindCustomModel, Scope: job.Scope}, outcrop.CustomModelOf)
	if err != nil {
		return err
	}
	if count := len(models) + modelsOf(append(live, job)...); count > s.quotas.CustomModels {
		return exceeded("custom models, counting those of the jobs in progress and this one's", s.quotas.CustomModels, "Delete one with DeleteCustomModel.")
	}
	return nil
}

// modelsOf returns how many models jobs will make.
func modelsOf(jobs ...*outcrop.Job) (n int) {
	for _, j := range jobs {
		n += 1 + min(j.Train.KeepCheckpoints, len(j.CheckpointEpochs()))
	}
	return n
}

// modelNames returns the names of all models that a job may make.
func modelNames(j *outcrop.Job) []string {
	names := []string{j.CustomModelName}
	for _, epoch := range j.CheckpointEpochs() {
		names = append(names, j.CheckpointName(epoch))
	}
	return names
}

// modelNameFree checks that neither a model nor a job that will make one has a name of the
// job's models.
func (s *Service) modelNameFree(ctx context.Context, job *outcrop.Job, live []*outcrop.Job) error {
	names := modelNames(job)
	taken := func(name string) error {
		if name == job.CustomModelName {
			return invalid("The provided custom model name is currently in use.")
		}
		return invalid("The name %s, which keepCheckpoints would give to a checkpoint of the model, is currently in use. Choose another customModelName.", name)
	}
	for _, name := range names {
		_, err := s.store.Get(ctx, outcrop.Key{Kind: outcrop.KindCustomModel, Scope: job.Scope, Ref: name})
		if err == nil {
			return taken(name)
		}
		if outcrop.CodeOf(err) != outcrop.CodeNotFound {
			return err
		}
	}
	for _, other := range live {
		for _, name := range modelNames(other) {
			if slices.Contains(names, name) {
				return taken(name)
			}
		}
	}
	return nil
}

// admitJob writes the row, if what was found out before the data were read still holds.
func (s *Service) admitJob(ctx context.Context, job *outcrop.Job) (*CreateModelCustomizationJobOutput, error) {
	s.admission.Lock()
	defer s.admission.Unlock()
	if done, err := s.sameJob(ctx, job.Scope, job.Token, job.Request); done != nil || err != nil {
		return done, err // the same request, sent again while this one read the data
	}
	if err := s.admissible(ctx, job); err != nil {
		return nil, err
	}
	base, err := s.models.Find(ctx, job.Scope, job.BaseModelID)
	if err != nil {
		return nil, err // it was deleted while the data were read
	}
	if err := s.store.Apply(ctx, outcrop.Change{Op: outcrop.OpCreate, Record: job.Record()}); err != nil {
		return nil, err
	}
	s.log.InfoContext(ctx, "job created", "job", job.ARN, "name", job.Name, "base", job.BaseModelID, "served by", base.Foundation.Description)
	return &CreateModelCustomizationJobOutput{JobArn: string(job.ARN)}, nil
}
