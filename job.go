package outcrop

import (
	"encoding/json"
	"fmt"
	"time"
)

// The states of a job (ModelCustomizationJobStatus).
const (
	JobInProgress = "InProgress"
	JobCompleted  = "Completed"
	JobFailed     = "Failed"
	JobStopping   = "Stopping"
	JobStopped    = "Stopped"
)

// The states of a job's phases (JobStatusDetails).
const (
	PhaseNotStarted = "NotStarted"
	PhaseInProgress = "InProgress"
	PhaseCompleted  = "Completed"
	PhaseStopping   = "Stopping"
	PhaseStopped    = "Stopped"
	PhaseFailed     = "Failed"
)

// Phase is one line of a job's statusDetails.
type Phase struct {
	Status  string
	Created time.Time
	Updated time.Time
}

// Job is a model customization job: what was asked for, and how far it is. Its record is
// the queue entry: a job in InProgress or Stopping without a live lease is work to claim.
type Job struct {
	Meta `json:"-"`

	CustomModelName   string
	CustomModelID     string // chosen at creation, so that a retried publication is the same
	RoleARN           string
	BaseModelID       string // catalog id, or the ARN of a custom model
	BaseModelARN      ARN
	CustomizationType string
	TrainingURI       string
	ValidationURIs    []string
	OutputURI         string
	HyperParameters   map[string]string // as the caller sent them
	Train             TrainSpec         // what they mean for this base model
	CustomModelTags   map[string]string
	KMSKeyID          string
	VPCConfig         json.RawMessage
	Request           string // fingerprint of the request, to know it when its token comes again

	Validation     Phase
	DataProcessing Phase
	Training       Phase
	FailureMessage string
	EndTime        time.Time
	Progress       Progress
	OutputModelARN ARN // set only when Completed

	Attempt Attempt
}

// Progress is what a worker last reported.
type Progress struct {
	Step, Steps      int
	Epoch            int
	TrainingLoss     *float64
	ValidationLosses []float64 // one for each validator, in their order
	TokensPerSecond  float64
	Tokens           int64 // trained so far
	ETASeconds       float64
	PublishedStep    int          // whose weights are the model's; 0 before the training has ended
	Checkpoints      []Checkpoint // that are models of their own, when it has
	UpdatedAt        time.Time
}

// HeaderProgress is the header of an answer to GetModelCustomizationJob that tells watchers
// what the service model has no member for: a ProgressView as JSON.
const HeaderProgress = "X-Outcrop-Progress"

// ProgressView is how far a job is, and what it trains with.
type ProgressView struct {
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

// Attempt is the try at a job that is under way. Failures and Losses begin again at 0 when
// an attempt gets further than BestStep, so that a long job on a machine that is switched
// off every night goes on, and one that always dies at the same row does not.
type Attempt struct {
	Number   int
	Handle   string // the launcher's, to find the process again after a restart
	Started  time.Time
	BestStep int // the furthest step of all attempts
	Failures int // attempts in a row that failed by themselves
	Losses   int // attempts in a row that were killed from outside, or ended unseen
}

// OutputPrefix returns where a job's artefacts go:
// {outputDataConfig.s3Uri}/model-customization-job-{id}.
func (j *Job) OutputPrefix() string {
	return JoinS3URI(j.OutputURI, "model-customization-job-"+j.ID)
}

// DataReportFile is the report on a job's data, below its OutputPrefix: of data that are
// refused the service writes it, of the others the job's worker.
const DataReportFile = "data_report.json"

// Terminal reports whether the job has ended.
func (j *Job) Terminal() bool {
	return j.Status == JobCompleted || j.Status == JobFailed || j.Status == JobStopped
}

// Record returns the job as the store keeps it.
func (j *Job) Record() Record { return Record{Meta: j.Meta, Body: marshal(j)} }

// JobOf reads a job from its record.
func JobOf(r Record) (*Job, error) {
	j := &Job{}
	if err := unmarshal(r, KindJob, j); err != nil {
		return nil, err
	}
	j.Meta = r.Meta
	return j, nil
}

func marshal(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("outcrop: a noun that cannot be marshalled: %v", err)) // our own bug
	}
	return b
}

func unmarshal(r Record, kind Kind, v any) error {
	if r.Kind != kind {
		return fmt.Errorf("record %s is a %s, not a %s", r.ARN, r.Kind, kind)
	}
	if err := json.Unmarshal(r.Body, v); err != nil {
		return fmt.Errorf("read %s: %w", r.ARN, err)
	}
	return nil
}
