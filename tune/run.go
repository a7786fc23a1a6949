package tune

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/format/chattemplate"
	"outcrop.dev/outcrop/model"
	"outcrop.dev/outcrop/recipe"
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
	longest    int               // tokens of the longest example
	spec       outcrop.TrainSpec // the job's, with nothing left open
	memory     Memory            // as it was planned, whatever this machine has
	base       string            // digest of the base model
	whole      string            // directory of the base model, its adapters merged

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
	return r.progress, r.patient(classify(err, job.Train.PeakRate()))
}

// patient has a job that has been trained try again for long where the disk is full or memory
// short: it has fitted before, what else takes the room may end, and what it has trained is not
// given up.
func (r *run) patient(err error) error {
	var exit *exitError
	short := errors.As(err, &exit) && exit.code == outcrop.ExitOutOfMemory
	if !short && !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) {
		return err
	}
	if saved, _ := os.ReadDir(filepath.Join(r.job.ScratchDir, checkpointsDir)); len(saved) == 0 {
		return err
	}
	return &exitError{outcrop.ExitTemporary, err}
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
	c := Checker{Workers: r.Exec.Pool.Threads(), Context: r.job.ContextLength}
	report, data, err := c.load(ctx, cmp.Or(r.job.BaseDir, r.job.ModelDir), r.rowLength(), r.source(r.job.TrainingURI), validation, true)
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
	r.rows = &train.Rows{All: r.examples(r.data.train), Seed: r.job.Train.Seed}
	if r.data.documents {
		r.rows.Packs = train.Pack(r.rows.All, r.rowLength())
	}
	for _, set := range r.data.validation {
		r.validation = append(r.validation, r.examples(set))
	}
	var err error
	if r.whole, err = r.wholeBase(); err != nil {
		return r.unusable(err)
	}
	w, err := newWorkload(r.whole, r.Exec)
	if err != nil {
		return r.unusable(err)
	}
	w.merged = r.job.BaseDir != ""
	options, err := r.plan(w)
	if err != nil {
		return err
	}
	if err := r.loadModel(); err != nil {
		return r.unusable(err)
	}
	if r.trainer, err = train.New(r.model, r.rows, r.longest, options); err != nil {
		return err
	}
	return r.restore()
}

// loadModel loads the base model, and adds what is trained in place of its weights.
func (r *run) loadModel() (err error) {
	adapters := lora(r.spec)
	if adapters == nil {
		r.model, err = model.Load(r.whole, r.Exec)
		return err
	}
	adapters.Base = r.job.BaseModelID
	if r.model, err = model.LoadFrozen(r.whole, r.Exec); err != nil {
		return err
	}
	return r.model.AddLoRA(*adapters)
}

func (r *run) unusable(err error) error {
	return &outcrop.Error{Code: outcrop.CodeModelError, Op: "load base model",
		Msg: fmt.Sprintf("The base model %s cannot be loaded: %v.", r.job.BaseModelID, err), Err: err}
}

// plan settles what the job trains with, and sees to it that there is the memory for it.
func (r *run) plan(w *workload) (train.Options, error) {
	r.work(w)
	spec := r.job.Train
	if spec.EvaluationInterval == 0 { // of a job that an older version took
		spec.Open = append(spec.Open, "evaluationInterval")
	}
	p := w.plan(spec)
	r.memory = p.Memory
	if r.MemoryBytes > 0 && p.Memory.Total() > r.MemoryBytes {
		p.Train.Recompute = true // which changes no bit of the result
		if p.Memory = w.memory(p.Train); p.Memory.Total() > r.MemoryBytes {
			return train.Options{}, outOfMemory(w.tooLarge(p.Train, r.MemoryBytes))
		}
	}
	r.Log.Info("plan", "memory", mebibytes(p.Memory.Total()), "of", p.Memory.String(), "activation checkpointing", p.Train.Recompute)
	r.spec = p.Train
	r.rows.Epochs, r.rows.BatchSize = r.spec.Epochs, r.spec.BatchSize
	r.progress.Steps = r.rows.Steps()
	return w.options(r.spec), nil
}

// work adds to w what the job's data are, exactly.
func (r *run) work(w *workload) {
	w.facts = recipe.Facts{Rows: r.rows.Count(), Tokens: tokensOf(r.rows.All), Longest: r.longest, MemoryBytes: r.MemoryBytes}
	w.rows, w.provenRows = len(r.rows.All), len(r.rows.All)
	if len(r.validation) > 0 {
		w.provenRows = len(r.validation[0])
	}
	var parts [][]train.Example
	for _, set := range r.validation {
		w.rows += len(set)
		w.facts.ValidationTokens += tokensOf(set)
		parts = slices.AppendSeq(parts, slices.Chunk(set, evaluationRows))
	}
	w.largest = func(t outcrop.TrainSpec) train.Batch {
		rows := train.Rows{All: r.rows.All, Packs: r.rows.Packs, BatchSize: t.BatchSize, Epochs: t.Epochs, Seed: t.Seed}
		return train.LargestBatch(&rows, rows.Steps(), t.MicroTokens, parts...)
	}
}

func tokensOf(examples []train.Example) (n int64) {
	for _, e := range examples {
		n += int64(len(e.Tokens))
	}
	return n
}

// rowLength is the most tokens of a row.
func (r *run) rowLength() int { return RowLength(r.job.ContextLength, r.job.Train) }

// examples shifts rendered rows for next-token prediction, and cuts documents that are longer
// than a row.
func (r *run) examples(rendered []chattemplate.Example) []train.Example {
	out := make([]train.Example, len(rendered))
	for i, e := range rendered {
		out[i].Tokens, out[i].Targets = e.Shift(model.Ignore)
	}
	out = train.Split(out, r.rowLength())
	for _, e := range out {
		r.longest = max(r.longest, len(e.Tokens))
	}
	return out
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
		if err := r.beginAgain(); err != nil {
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

// beginAgain removes what earlier attempts have trained.
func (r *run) beginAgain() error {
	var err error
	for _, name := range []string{checkpointsDir, evaluationsFile, bestDir, epochsDir, mergedDir} {
		err = errors.Join(err, os.RemoveAll(filepath.Join(r.job.ScratchDir, name)))
	}
	return err
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
		if err := r.keepEpoch(); err != nil {
			return err
		}
		r.note()
		r.metricsIfDue()
		if r.trainer.Done() || r.endsEarly() {
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
