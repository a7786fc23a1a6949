package outcrop

import (
	"encoding/json"
	"fmt"
	"time"
)

// The states of a job (ModelCustomizationJobStatus). JobInProgress and JobStopping are work: a
// supervisor holds the record's lease. When it dies the lease runs out, and the next one that
// claims the record goes on. The other three are ends, and never change.
const (
	// JobInProgress: the job waits for a place, trains, or is being published. A worker that dies
	// is followed by the next attempt, which goes on from the last checkpoint. The supervisor ends
	// the state; StopModelCustomizationJob moves it to JobStopping.
	JobInProgress Status = "InProgress"
	// JobStopping: somebody asked for the end. The worker is told; one that does not listen is
	// killed. A crash changes nothing: whoever claims the record next stops what still runs. The
	// supervisor moves the job on, only ever to JobStopped: a model that was ready is dropped.
	JobStopping Status = "Stopping"
	// JobCompleted: the custom model is there. Its files came first, then one transaction wrote this
	// state and the model's record. A crash in between leaves the job InProgress, and the
	// publication is done again with the same id.
	JobCompleted Status = "Completed"
	// JobFailed: FailureMessage says why, the scratch directory is kept for a look at it, and
	// nothing is billed.
	JobFailed Status = "Failed"
	// JobStopped: the job ended as asked, without a model. What it trained until then is billed.
	JobStopped Status = "Stopped"
)

// PhaseStatus is how far a phase of a job is.
type PhaseStatus string

// The states of a job's phases (JobStatusDetails). They tell people what the job does; nothing is
// decided by them. The supervisor moves them on as the worker reports. A later attempt passes the
// earlier phases again and leaves them as they are: nobody sees a job go backwards.
const (
	PhaseNotStarted PhaseStatus = "NotStarted" // the worker has not come to it
	PhaseInProgress PhaseStatus = "InProgress" // the worker is at it, or was when it died
	PhaseCompleted  PhaseStatus = "Completed"  // the worker has passed it
	PhaseStopping   PhaseStatus = "Stopping"   // it was under way when the job was told to stop
	PhaseStopped    PhaseStatus = "Stopped"    // it was under way when the job was stopped
	PhaseFailed     PhaseStatus = "Failed"     // it was under way when the job failed
)

// Phase is one line of a job's statusDetails.
type Phase struct {
	Status  PhaseStatus
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
	Inputs            []Input // of each URI once; none in a job that an earlier program has accepted
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
	OutputModelARN ARN // set only when Completed

	Work
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

// Work is the part of every noun that is worked on by attempts, one after the other, until it has
// ended. Its status is one of the job's.
type Work struct {
	Progress       Progress
	FailureMessage string    // if it has Failed
	EndTime        time.Time // zero until it has ended
	Attempt        Attempt
}

// Worked returns the part itself, for those who know nothing else of the noun.
func (w *Work) Worked() *Work { return w }

// Attempt is the try at a job that is under way. Failures and Losses begin again at 0 when
// an attempt gets further than BestStep, so that a long job on a machine that is switched
// off every night goes on, and one that always dies at the same row does not.
type Attempt struct {
	Number   int
	Handle   string    // the launcher's, to find the process again after a restart
	Started  time.Time // zero when the attempt has ended and the next one has not begun
	BestStep int       // the furthest step of all attempts
	Failures int       // attempts in a row that failed by themselves
	Losses   int       // attempts in a row that were killed from outside, or ended unseen
	Stalls   int       `json:",omitempty"` // attempts in a row that lived and did nothing, and were ended

	// Result is how the attempt says that it has ended (attempt.Result); nil before that, and again
	// when the next one begins.
	Result json.RawMessage `json:",omitempty"`
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
	return nounOf(r, KindJob, func(j *Job) *Meta { return &j.Meta })
}

func marshal(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("outcrop: a noun that cannot be marshalled: %v", err)) // our own bug
	}
	return b
}

// nounOf reads a noun of one kind from its record. meta says where its Meta stands.
func nounOf[N any](r Record, kind Kind, meta func(*N) *Meta) (*N, error) {
	if r.Kind != kind {
		return nil, fmt.Errorf("record %s is a %s, not a %s", r.ARN, r.Kind, kind)
	}
	n := new(N)
	if err := json.Unmarshal(r.Body, n); err != nil {
		return nil, ErrUnreadable(r.ARN, err)
	}
	*meta(n) = r.Meta
	return n, nil
}
