package pretrain

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"time"

	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/engine/train"
	"outcrop.dev/outcrop/format/chattemplate"
	"outcrop.dev/outcrop/format/tokenizer"
	"outcrop.dev/outcrop/internal/durable"
)

// Env is what a run takes from outside.
type Env struct {
	Exec    model.Exec
	Dir     string // checkpoints, and the finished model in Dir/model
	Log     io.Writer
	Now     func() time.Time
	Threads int
}

// The names in Dir.
const (
	checkpointDir = "checkpoints"
	modelDir      = "model"
	// RecordFile tells in the model directory how the model came to be.
	RecordFile = "training.json"
)

// Run trains the model that c describes, from the newest checkpoint in env.Dir on if there is
// one, and writes it to env.Dir/model. When ctx ends it saves a checkpoint and returns ctx's
// error. Other errors: a file that cannot be read, *train.Diverged, a full disk.
func Run(ctx context.Context, c Config, env Env) error {
	r, err := newRun(c, env)
	if err != nil {
		return err
	}
	defer r.close()
	if err := r.restore(); err != nil {
		return err
	}
	if err := r.loop(ctx); err != nil {
		return err
	}
	return r.finish()
}

// Export writes the model of the newest checkpoint as it is to env.Dir/model, without
// training on. It is an error if there is none.
func Export(c Config, env Env) error {
	r, err := newRun(c, env)
	if err != nil {
		return err
	}
	defer r.close()
	if err := r.restore(); err != nil {
		return err
	}
	if r.trainer.Steps() == 0 {
		return fmt.Errorf("there is no checkpoint in %s to export: run the training first", r.checkpoints())
	}
	return r.finish()
}

type run struct {
	Config
	env     Env
	model   *model.Model
	trainer *train.Trainer
	data    *data
}

func newRun(c Config, env Env) (*run, error) {
	shape, err := model.ParseConfig(c.Model)
	if err != nil {
		return nil, err
	}
	r := &run{Config: c, env: env}
	if r.data, err = loadData(c, env); err != nil {
		return nil, err
	}
	if r.model, err = model.New(shape, env.Exec); err != nil {
		return nil, err
	}
	r.model.Init(c.Seed)
	o := train.Pretrain(c.Steps, c.LearningRate)
	o.WeightDecay, o.MicroTokens = c.WeightDecay, c.MicroTokens
	o.Schedule = train.WSD(max(c.Steps/50, 1), int(c.DecayShare*float64(c.Steps)), c.Steps)
	if r.trainer, err = train.New(r.model, r.data.mix, r.longest(), o); err != nil {
		r.model.Close()
		return nil, err
	}
	return r, nil
}

func (r *run) close() {
	r.trainer.Close()
	r.model.Close()
}

func (c Config) longest() int {
	n := 0
	for _, s := range c.Stages {
		n = max(n, s.Sequence)
	}
	return n
}

func (r *run) restore() error {
	damaged, err := r.trainer.Restore(r.checkpoints())
	for _, d := range damaged {
		fmt.Fprintf(r.env.Log, "%v; an older one is used\n", d)
	}
	if err == nil && r.trainer.Steps() > 0 {
		fmt.Fprintf(r.env.Log, "resumed after step %d\n", r.trainer.Steps())
	}
	return err
}

func (r *run) checkpoints() string { return filepath.Join(r.env.Dir, checkpointDir) }

// loop trains to the end, with checkpoints, validation and step lines.
func (r *run) loop(ctx context.Context) error {
	if err := os.MkdirAll(r.env.Dir, 0o755); err != nil {
		return err
	}
	p := newProgress(r)
	saved := r.env.Now()
	for !r.trainer.Done() {
		if ctx.Err() != nil {
			return r.interrupted(ctx)
		}
		result, err := r.trainer.Step()
		if err != nil {
			return err
		}
		if err := p.step(result); err != nil {
			return err
		}
		if r.env.Now().Sub(saved) >= time.Duration(r.CheckpointSeconds)*time.Second {
			if err := r.trainer.Save(r.checkpoints()); err != nil {
				return err
			}
			saved = r.env.Now()
		}
	}
	return r.trainer.Save(r.checkpoints())
}

func (r *run) interrupted(ctx context.Context) error {
	if err := r.trainer.Save(r.checkpoints()); err != nil {
		return err
	}
	fmt.Fprintf(r.env.Log, "stopped after step %d; the same command goes on from here\n", r.trainer.Steps())
	return ctx.Err()
}

// Record is what training.json says.
type Record struct {
	Steps               int             `json:"steps"`
	StepsPlanned        int             `json:"steps_planned"`
	Tokens              int             `json:"tokens"` // read, epochs counted
	Params              int             `json:"parameters"`
	CorpusBitsPerByte   float64         `json:"corpus_validation_bits_per_byte"`
	InstructBitsPerByte float64         `json:"instruct_validation_bits_per_byte"`
	CorpusLoss          float64         `json:"corpus_validation_loss"`
	InstructLoss        float64         `json:"instruct_validation_loss"`
	MinimalPairs        *MinimalPairs   `json:"minimal_pairs,omitempty"`
	LinesKept           int             `json:"lines_kept"`
	LinesLeftOut        int             `json:"lines_left_out"`
	Config              json.RawMessage `json:"config"`
}

// finish validates on everything and writes the model directory.
func (r *run) finish() error {
	dir := filepath.Join(r.env.Dir, modelDir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := r.model.Save(dir); err != nil {
		return err
	}
	record, err := r.record()
	if err != nil {
		return err
	}
	if err := r.describe(dir, record); err != nil {
		return err
	}
	if err := copyFiles(dir, r.Tokenizer); err != nil {
		return err
	}
	fmt.Fprintf(r.env.Log, "%s: %d weights, %d tokens read, bits/byte corpus %.4f instruct %.4f\n",
		dir, record.Params, record.Tokens, record.CorpusBitsPerByte, record.InstructBitsPerByte)
	return nil
}

// describe writes the record and the model card.
func (r *run) describe(dir string, x Record) error {
	b, err := json.MarshalIndent(x, "", "  ")
	if err != nil {
		return err
	}
	if err := durable.WriteBytes(filepath.Join(dir, RecordFile), 0o644, append(b, '\n')); err != nil {
		return err
	}
	if b, err = r.card(x); err != nil {
		return err
	}
	return durable.WriteBytes(filepath.Join(dir, cardFile), 0o644, b)
}

func (r *run) record() (Record, error) {
	config, err := json.Marshal(r.Config)
	if err != nil {
		return Record{}, err
	}
	x := Record{
		Steps: r.trainer.Steps(), StepsPlanned: r.Config.Steps, Params: r.model.Config.Params(), Config: config,
		LinesKept: r.data.corpus.Kept + r.data.instruct.Kept, LinesLeftOut: r.data.corpus.Dropped + r.data.instruct.Dropped,
	}
	for _, h := range r.trainer.History() {
		x.Tokens += h.Tokens
	}
	if x.CorpusLoss, x.CorpusBitsPerByte, err = r.validate(r.data.corpusVal.examples(math.MaxInt)); err != nil {
		return x, err
	}
	if x.InstructLoss, x.InstructBitsPerByte, err = r.validate(r.data.instructVal.examples(math.MaxInt)); err != nil {
		return x, err
	}
	if r.MinimalPairs != "" {
		x.MinimalPairs, err = r.minimalPairs(r.MinimalPairs)
	}
	return x, err
}

// validate returns the loss per token in nats and the bits per byte of text.
func (r *run) validate(examples []train.Example) (loss, bits float64, err error) {
	l, err := r.trainer.Evaluate(examples)
	bytes := 0
	for _, e := range examples {
		for _, t := range e.Targets {
			bytes += len(r.data.tok.Token(t))
		}
	}
	return l.Mean(), l.Sum / math.Ln2 / float64(max(bytes, 1)), err
}

// tokenizerFiles are copied beside the weights, those that the tokenizer's directory has.
var tokenizerFiles = []string{tokenizer.File, chattemplate.ConfigFile, chattemplate.SpecialsFile, model.GenerationFile}

func copyFiles(dst, src string) error {
	for _, name := range tokenizerFiles {
		err := durable.CopyFile(filepath.Join(dst, name), filepath.Join(src, name), 0o644)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
