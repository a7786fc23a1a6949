package customize

import (
	"path/filepath"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/datacheck"
	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/engine/train"
	"outcrop.dev/outcrop/work/attempt"
)

// run is a job under way.
type run struct {
	attempt Attempt
	job     attempt.Spec
	Options

	data       *datacheck.Rows
	rows       *train.Rows
	validation [][]train.Example
	longestRow int               // tokens
	spec       outcrop.TrainSpec // the job's, with nothing left open
	memory     Memory            // as it was planned, whatever this machine has
	baseDigest string            // of the base model
	wholeDir   string            // of the base model, its adapters merged

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

// scratch returns the path of a name in the scratch directory.
func (r *run) scratch(name string) string { return filepath.Join(r.job.ScratchDir, name) }
