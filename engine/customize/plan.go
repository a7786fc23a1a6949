package customize

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/datacheck"
	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/engine/recipe"
	"outcrop.dev/outcrop/engine/train"
	"outcrop.dev/outcrop/format/dataset"
	"outcrop.dev/outcrop/format/tokenizer"
)

// Plan is what a job will do: its hyperparameters with nothing left open, and the memory that
// they take.
type Plan struct {
	Train  outcrop.TrainSpec `json:"train"`
	Rows   int               `json:"rows"`
	Steps  int               `json:"steps"`
	Memory Memory            `json:"memory"`
}

// Memory is the greatest memory that a worker takes, in bytes (TestPlannedMemory).
type Memory struct {
	train.Memory
	Data    int64 `json:"data"`    // the rows, as tokens
	Process int64 `json:"process"` // the program, its heap and its buffers
	// Proof is all that is taken at the end, when training has given back its own and the model is
	// loaded as it will be served. It is more than the rest where little is trained.
	Proof int64 `json:"proof"`
}

// Total returns what is taken when it is most.
func (m Memory) Total() int64 { return max(m.training(), m.Proof) }

func (m Memory) training() int64 { return m.Memory.Total() + m.Data + m.Process }

// What a worker takes besides tensors, measured (TestPlannedMemory): a collected heap may be
// twice what is in use.
const (
	processBytes      = 44 << 20 // the program and its runtime
	tokenizerFactor   = 12       // for each byte of tokenizer.json
	dataBytesPerRow   = 600
	dataBytesPerToken = 16
)

// RowLength returns how many tokens of a row a job trains on, the rest being cut off, for a model
// with a context of so many.
func RowLength(context int, t outcrop.TrainSpec) int {
	if t.MaxSequenceLength > 0 {
		return min(context, t.MaxSequenceLength)
	}
	return context
}

// workload is the facts of a job that its plan depends on.
type workload struct {
	config         model.Config
	exec           model.Exec
	merged         bool         // the base model is adapters: there are no adapters on those
	tokenizerBytes int64        // of its file
	facts          recipe.Facts // without Need
	rows           int          // in memory: of all files, and documents one by one
	provenRows     int          // that there are to prove the finished model with
	largest        func(t outcrop.TrainSpec) train.Batch
}

// NewPlan chooses what spec leaves open for a job on the data of report, and plans its memory.
// files are the base model's; memory is what training may take, 0 if that is not known.
// CodeValidation for a job that does not fit, with the numbers and with what would.
func NewPlan(files outcrop.ModelFiles, exec model.Exec, report *datacheck.Report, spec outcrop.TrainSpec, memory int64) (*Plan, error) {
	w, err := newWorkload(cmp.Or(files.BaseDir, files.Dir), exec)
	if err != nil {
		return nil, err
	}
	w.merged = files.BaseDir != ""
	w.measureReport(report)
	w.facts.MemoryBytes = memory
	p := w.plan(spec)
	if l := lora(p.Train); l != nil {
		if err := l.Check(w.config); err != nil {
			return nil, outcrop.Errorf(outcrop.CodeValidation, "The hyperparameter loraTargets does not fit the base model: %v.", err)
		}
	}
	if need := p.Memory.Total(); memory > 0 && need > memory {
		return p, outcrop.Errorf(outcrop.CodeValidation, "%s", w.tooLarge(p.Train, memory))
	}
	return p, nil
}

// newWorkload looks at the base model.
func newWorkload(modelDir string, exec model.Exec) (*workload, error) {
	config, err := model.ReadConfig(modelDir)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(filepath.Join(modelDir, tokenizer.File))
	if err != nil {
		return nil, err
	}
	return &workload{config: config, exec: exec, tokenizerBytes: info.Size()}, nil
}

// measureReport adds what a report tells of the data: of what only the rows themselves tell
// exactly, an estimate.
func (w *workload) measureReport(r *datacheck.Report) {
	w.provenRows = r.Files[min(1, len(r.Files)-1)].Rows // of the first validation file, if there is one
	for _, f := range r.Files {
		w.rows += f.Rows
		if w.facts.Longest = max(w.facts.Longest, min(f.Length.Max, r.ContextLength)); f.Role == datacheck.Training {
			w.facts.Rows, w.facts.Tokens = f.TrainedRows(), f.Tokens()
		} else {
			w.facts.ValidationTokens += f.Tokens()
		}
	}
	w.largest = func(t outcrop.TrainSpec) (largest train.Batch) {
		for _, f := range r.Files {
			n := t.BatchSize
			if f.Role == datacheck.Validation {
				n = evaluationRows
			}
			b := largestBatch(&f, min(n, f.TrainedRows()), r.ContextLength, max(t.MicroTokens, w.facts.Longest))
			largest = train.Batch{Tokens: max(largest.Tokens, b.Tokens), Targets: max(largest.Targets, b.Targets)}
		}
		return largest
	}
}

// largestBatch estimates the largest of a run's batches of n rows and at most micro tokens:
// three standard deviations above the mean, as far as the percentiles tell of them.
func largestBatch(f *datacheck.File, n, context, micro int) train.Batch {
	if f.Tokens() == 0 {
		return train.Batch{}
	}
	if f.Format == dataset.Documents { // whose rows are full
		tokens := int(min(int64(n)*int64(context), int64(micro), f.Tokens()))
		return train.Batch{Tokens: tokens, Targets: tokens}
	}
	const p95 = 1.645 // standard deviations above the median, if lengths were normal
	mean := float64(f.Tokens()) / float64(f.Rows)
	deviation := float64(min(f.Length.P95, context)-min(f.Length.P50, context)) / p95
	estimate := float64(n)*mean + 3*math.Sqrt(float64(n))*deviation
	longest := min(f.Length.Max, context)
	tokens := min(max(int(estimate), longest), n*longest, micro)
	return train.Batch{Tokens: tokens, Targets: max(int(int64(tokens)*f.CompletionTokens/f.Tokens()), 1)}
}

// plan resolves spec and measures it.
func (w *workload) plan(spec outcrop.TrainSpec) *Plan {
	f := w.facts
	f.Params = int64(w.config.Params())
	f.Need = func(t outcrop.TrainSpec) int64 { return w.memory(t).Total() }
	if open := slices.Index(spec.Open, "method"); open >= 0 && w.merged {
		spec.Method, spec.Open = outcrop.MethodFull, slices.Delete(slices.Clone(spec.Open), open, open+1)
	}
	spec = recipe.Resolve(spec, f)
	return &Plan{Train: spec, Rows: f.Rows, Steps: spec.Steps(f.Rows), Memory: w.memory(spec)}
}

// memory measures the training that t says.
func (w *workload) memory(t outcrop.TrainSpec) Memory {
	rows, tokens := int64(w.rows), w.facts.Tokens+w.facts.ValidationTokens
	m := Memory{
		Memory:  train.Measure(w.config, lora(t), w.exec, max(w.facts.Longest, 1), w.options(t)),
		Data:    rows*dataBytesPerRow + tokens*dataBytesPerToken,
		Process: processBytes + tokenizerFactor*w.tokenizerBytes,
	}
	m.Proof = int64(w.config.LoadServingBytes(w.exec)+w.config.KeptBytes(w.exec)) +
		parityBytes(w.config, w.exec, w.provenRows, max(w.facts.Longest, 1)) + m.Data + m.Process
	return m
}

// lora is the shape of the adapters that t trains; nil if it trains all weights.
func lora(t outcrop.TrainSpec) *model.LoRA {
	if t.Method != outcrop.MethodLoRA {
		return nil
	}
	l := t.LoRA
	return &model.LoRA{Rank: l.Rank, Alpha: l.Alpha, Dropout: l.Dropout, Targets: l.Targets, RSLoRA: l.RSLoRA, Seed: t.Seed}
}

// options are those of training as t says.
func (w *workload) options(t outcrop.TrainSpec) train.Options {
	steps := t.Steps(w.facts.Rows)
	o := train.FineTune(steps, t.PeakRate(), t.WarmupSteps)
	o.Schedule = schedule(t.Schedule, min(t.WarmupSteps, steps), steps)
	o.WeightDecay, o.Clip = t.WeightDecay, t.GradientClip
	o.MicroTokens, o.Recompute = t.MicroTokens, t.Recompute
	o.Largest = w.largest(t)
	return o
}

// decayShare is the last part of a "wsd" run, in which the rate falls: as in pre-training.
const decayShare = 0.3

func schedule(name outcrop.Schedule, warmup, steps int) train.Schedule {
	switch name {
	case outcrop.ScheduleCosine:
		return train.Cosine(warmup, steps)
	case outcrop.ScheduleConstant:
		return train.Constant(warmup)
	case outcrop.ScheduleWSD:
		return train.WSD(warmup, int(decayShare*float64(steps)), steps)
	}
	return train.Linear(warmup, steps)
}

// tooLarge says that training as t does not fit into memory, and what would.
func (w *workload) tooLarge(t outcrop.TrainSpec, memory int64) string {
	var fit []string
	try := func(what string, change func(*outcrop.TrainSpec)) {
		other := t
		if change(&other); w.memory(other).Total() <= memory {
			fit = append(fit, fmt.Sprintf("%s (%s)", what, mebibytes(w.memory(other).Total())))
		}
	}
	less := max(w.facts.Longest, recipe.MicroTokensLow)
	try("activationCheckpointing true", func(t *outcrop.TrainSpec) { t.Recompute = true })
	if less < t.MicroTokens {
		try(fmt.Sprintf("microBatchTokens %d", less), func(t *outcrop.TrainSpec) { t.MicroTokens = less })
		try("both of them", func(t *outcrop.TrainSpec) { t.Recompute, t.MicroTokens = true, less })
	}
	if !w.merged {
		try("method lora", func(t *outcrop.TrainSpec) { t.Method = outcrop.MethodLoRA })
	}
	advice := "Use a smaller base model, shorten the longest rows (maxSequenceLength), or give the server more memory."
	if len(fit) > 0 {
		advice = "It would fit with one of these hyperparameters: " + strings.Join(fit, ", ") + "."
	}
	m := w.memory(t)
	return fmt.Sprintf("Training this model on these data needs %s of memory and there are %s. The need is %s. %s", mebibytes(m.Total()), mebibytes(memory), m, advice)
}

// String lists the parts.
func (m Memory) String() string {
	s := fmt.Sprintf("weights %s, gradients %s, optimizer %s, activations %s, products %s, data %s, program %s",
		mebibytes(m.Weights), mebibytes(m.Gradients), mebibytes(m.Moments), mebibytes(m.Activations), mebibytes(m.Packing), mebibytes(m.Data), mebibytes(m.Process))
	if m.Proof > m.training() {
		s += ", and less than is needed to prove the model at the end"
	}
	return s
}

// WriteText writes the plan for a person.
func (p *Plan) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "plan\n  steps       %s of %d rows\n", humanize.Comma(int64(p.Steps)), p.Train.BatchSize)
	fmt.Fprintf(&b, "  memory      %s: %s\n", mebibytes(p.Memory.Total()), p.Memory)
	b.WriteString("  hyperparameters\n")
	hp := recipe.Values(p.Train)
	for _, name := range recipe.Names() {
		if value, ok := hp[name]; ok {
			fmt.Fprintf(&b, "    %-24s %s\n", name, value)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// plan settles what the job trains with, and sees to it that there is the memory for it.
func (r *run) plan(w *workload) (train.Options, error) {
	r.measureData(w)
	spec := r.job.Train
	if spec.EvaluationInterval == 0 { // of a job that an older version took
		spec.Open = append(spec.Open, "evaluationInterval")
	}
	p := w.plan(spec)
	r.memory = p.Memory
	if r.MemoryBytes > 0 && p.Memory.Total() > r.MemoryBytes {
		p.Train.Recompute = true // which changes no bit of the result
		if p.Memory = w.memory(p.Train); p.Memory.Total() > r.MemoryBytes {
			return train.Options{}, errOutOfMemory(w.tooLarge(p.Train, r.MemoryBytes))
		}
	}
	r.Log.Info("plan", "memory", mebibytes(p.Memory.Total()), "of", p.Memory.String(), "activation checkpointing", p.Train.Recompute)
	r.spec = p.Train
	r.rows.Epochs, r.rows.BatchSize = r.spec.Epochs, r.spec.BatchSize
	r.progress.Steps = r.rows.Steps()
	return w.options(r.spec), nil
}

// measureData adds to w what the job's data are, exactly.
func (r *run) measureData(w *workload) {
	w.facts = recipe.Facts{Rows: r.rows.Count(), Tokens: tokensOf(r.rows.All), Longest: r.longestRow, MemoryBytes: r.MemoryBytes}
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

func mebibytes(n int64) string { return fmt.Sprintf("%d MiB", n>>20) }
