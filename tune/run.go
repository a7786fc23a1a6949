package tune

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/format/chattemplate"
	"outcrop.dev/outcrop/model"
	"outcrop.dev/outcrop/train"
)

// Names in the scratch directory, shared with package attempt.
const (
	checkpointsDir = "checkpoints"
	modelDir       = "model"
)

const (
	// metricsEvery is how often growing metrics are stored again; readers are promised ten
	// seconds.
	metricsEvery = 5 * time.Second
	// checkpointEvery is the least time between two checkpoints, and checkpointShare the
	// largest part of the time that they may take: what a kill costs is at most a few
	// seconds of a small model's training, and of a large one twenty times a save.
	checkpointEvery = 5 * time.Second
	checkpointShare = 20
)

// run is a job under way.
type run struct {
	attempt Attempt
	job     Job
	Options

	data       *loaded
	rows       *train.Rows
	validation [][]train.Example
	longest    int    // tokens of the longest example
	interval   int    // steps between evaluations
	base       string // digest of the base model

	model       *model.Model
	trainer     *train.Trainer
	evaluations []evaluation
	firstLoss   float64             // of the first step
	artefacts   map[string]artefact // what has been stored, by key
	inputs      []input

	phase      string
	progress   outcrop.Progress
	began      time.Time // of the training in this attempt
	beganStep  int
	stepping   time.Duration // spent in steps since then
	stepTokens int64         // and the tokens of those
	nextSave   time.Time
	nextPut    time.Time
}

// Run does the job, from wherever an earlier attempt left it, and leaves the finished model in
// the directory model of the scratch directory. It returns how far it got, also with an error.
// The errors: CodeValidation for bad data; ErrStopped and ErrPreempted when told to end; the
// context's cause; those with a method ExitCode decide how the worker exits.
func Run(ctx context.Context, a Attempt, job Job, o Options) (outcrop.Progress, error) {
	r := &run{attempt: a, job: job, Options: o, artefacts: map[string]artefact{}, phase: phaseValidation}
	err := r.all(ctx)
	r.closeModel()
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return r.progress, classify(err, job.Train.LearningRate)
}

// closeModel releases what training needs most of its memory for.
func (r *run) closeModel() {
	if r.trainer != nil {
		r.trainer.Close()
	}
	if r.model != nil {
		r.model.Close()
	}
	r.trainer, r.model = nil, nil
}

func (r *run) all(ctx context.Context) error {
	if err := r.obey(ctx); err != nil {
		return err
	}
	if err := r.pinBase(); err != nil {
		return err
	}
	if err := r.check(ctx); err != nil {
		return err
	}
	r.phase = phaseDataProcessing
	if err := r.obey(ctx); err != nil {
		return err
	}
	if err := r.prepare(); err != nil {
		return err
	}
	r.phase = phaseTraining
	if err := r.trainOrTell(ctx); err != nil {
		return err
	}
	return r.finish(ctx)
}

// obey tells the server how far the work is, and does what it answers: an error ends the run.
func (r *run) obey(ctx context.Context) error {
	r.progress.UpdatedAt = r.Now()
	switch r.attempt.Report(r.phase, r.progress) {
	case commandStop:
		return ErrStopped
	case commandPreempt:
		return r.lastCheckpoint(ErrPreempted)
	case commandCheckpoint:
		r.nextSave = time.Time{}
	}
	if ctx.Err() != nil {
		return ctx.Err() // without a checkpoint: another attempt may have taken the directory over
	}
	return nil
}

// lastCheckpoint saves what there is to save and returns reason.
func (r *run) lastCheckpoint(reason error) error {
	if r.trainer != nil && r.trainer.Steps() > 0 {
		if err := r.save(); err != nil {
			return err
		}
	}
	return reason
}

// check reads, checks and renders the data, and stores the report on them.
func (r *run) check(ctx context.Context) error {
	var validation []Source
	for _, uri := range r.job.ValidationURIs {
		validation = append(validation, r.source(uri))
	}
	c := Checker{Workers: r.Exec.Pool.Threads()}
	report, data, err := c.load(ctx, r.job.ModelDir, r.job.ContextLength, r.source(r.job.TrainingURI), validation, true)
	if err != nil {
		return err
	}
	r.putLater(dataReportKey, jsonType, report.JSON())
	for _, w := range report.Warnings {
		r.Log.Warn("data", "warning", w)
	}
	if err := report.Err(); err != nil {
		return r.flushThen(ctx, err) // the full report is what the user needs now
	}
	r.data = data
	return nil
}

// flushThen waits for the artefacts and returns err, which matters more than theirs.
func (r *run) flushThen(ctx context.Context, err error) error {
	if flushErr := r.attempt.Flush(ctx); flushErr != nil {
		r.Log.Warn("store artefacts", "error", flushErr)
	}
	return err
}

// prepare makes examples of the data and loads the model and the newest checkpoint.
func (r *run) prepare() error {
	spec := r.job.Train
	r.rows = &train.Rows{All: r.examples(r.data.train), BatchSize: spec.BatchSize, Epochs: spec.Epochs, Seed: spec.Seed}
	for _, set := range r.data.validation {
		r.validation = append(r.validation, r.examples(set))
	}
	r.interval = interval(r.rows, r.validation)
	r.progress.Steps = r.rows.Steps()
	if err := r.loadModel(); err != nil {
		return err
	}
	options := train.FineTune(r.rows.Steps(), spec.LearningRate, spec.WarmupSteps)
	var err error
	if r.trainer, err = train.New(r.model, r.rows, r.longest, options); err != nil {
		return err
	}
	return r.restore()
}

// examples shifts rendered rows for next-token prediction.
func (r *run) examples(rendered []chattemplate.Example) []train.Example {
	out := make([]train.Example, len(rendered))
	for i, e := range rendered {
		out[i].Tokens, out[i].Targets = e.Shift(model.Ignore)
		r.longest = max(r.longest, len(out[i].Tokens))
	}
	return out
}

func (r *run) loadModel() error {
	config, err := model.ReadConfig(r.job.ModelDir)
	if err == nil {
		if err := r.checkMemory(config); err != nil {
			return err
		}
		r.model, err = model.Load(r.job.ModelDir, r.Exec)
	}
	if err != nil {
		return &outcrop.Error{Code: outcrop.CodeModelError, Op: "load base model",
			Msg: fmt.Sprintf("The base model %s cannot be loaded: %v.", r.job.BaseModelID, err), Err: err}
	}
	return nil
}

func (r *run) checkMemory(config model.Config) error {
	if r.MemoryBytes == 0 {
		return nil
	}
	if need := int64(train.Memory(config, nil, r.Exec, r.longest, train.FineTune(1, 0, 0))); need > r.MemoryBytes {
		return outOfMemory(need, r.MemoryBytes)
	}
	return nil
}

// restore goes on from the newest checkpoint that is whole.
func (r *run) restore() error {
	dir := filepath.Join(r.job.ScratchDir, checkpointsDir)
	damaged, err := r.trainer.Restore(dir)
	for _, d := range damaged {
		r.Log.Warn("checkpoint passed over", "error", d)
	}
	if err != nil {
		return err
	}
	ok, err := r.restoreEvaluations()
	if err != nil {
		return err
	}
	if !ok {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
		return fmt.Errorf("the evaluations of the steps before %d are lost: the next attempt begins anew", r.trainer.Steps())
	}
	for _, h := range r.trainer.History() {
		r.progress.Tokens += int64(h.Tokens)
	}
	r.note()
	return nil
}

// train runs the steps that are left, evaluating, saving and reporting as it goes.
func (r *run) train(ctx context.Context) error {
	r.began, r.beganStep = r.Now(), r.trainer.Steps()
	r.nextSave = r.began.Add(checkpointEvery)
	for {
		if r.evaluationDue() {
			if err := r.evaluate(ctx); err != nil {
				return err
			}
		}
		r.note()
		r.metricsIfDue()
		if r.trainer.Done() {
			return nil
		}
		if err := r.obey(ctx); err != nil {
			return err
		}
		if err := r.saveIfDue(); err != nil {
			return err
		}
		if err := r.step(); err != nil {
			return err
		}
	}
}

func (r *run) step() error {
	start := r.Now()
	result, err := r.trainer.Step()
	if err != nil {
		return err
	}
	r.stepping += r.Now().Sub(start)
	r.stepTokens += int64(result.Tokens)
	r.progress.Tokens += int64(result.Tokens)
	return nil
}

// note brings the progress up to date.
func (r *run) note() {
	p, step := &r.progress, r.trainer.Steps()
	p.Step, p.Epoch = step, min(step/r.rows.StepsPerEpoch(), r.rows.Epochs)
	if h := r.trainer.History(); len(h) > 0 {
		loss := h[len(h)-1].Loss
		p.TrainingLoss, r.firstLoss = &loss, h[0].Loss
	}
	if n := len(r.evaluations); n > 0 {
		p.ValidationLosses = r.evaluations[n-1].Losses
	}
	if r.stepping > 0 {
		p.TokensPerSecond = float64(r.stepTokens) / r.stepping.Seconds()
	}
	if done := step - r.beganStep; done > 0 {
		p.ETASeconds = r.Now().Sub(r.began).Seconds() / float64(done) * float64(p.Steps-step)
	}
}

func (r *run) metricsIfDue() {
	if now := r.Now(); !now.Before(r.nextPut) {
		r.putMetrics()
		r.nextPut = now.Add(metricsEvery)
	}
}

func (r *run) saveIfDue() error {
	if r.Now().Before(r.nextSave) {
		return nil
	}
	return r.save()
}

// save writes a checkpoint. When the next one is due depends on how long it took.
func (r *run) save() error {
	start := r.Now()
	if err := r.trainer.Save(filepath.Join(r.job.ScratchDir, checkpointsDir)); err != nil {
		return err
	}
	end := r.Now()
	r.nextSave = end.Add(max(checkpointEvery, checkpointShare*end.Sub(start)))
	return nil
}
