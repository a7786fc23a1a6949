package outcrop

import "slices"

// FoundationModel is a base model: a directory in Hugging Face layout and its catalog entry.
type FoundationModel struct {
	ID             string   // such as outcrop.pebble-v1
	Aliases        []string // ids that also name it and never retire, such as amazon.titan-text-express-v1
	Name, Provider string   // at most 20 characters each, as AWS limits them
	Description    string   // says plainly what serves the id
	Dialect        string   // body dialect of InvokeModel, such as "titan"
	Customizations []string // such as FINE_TUNING
	Dir            string   // model directory
	FilesID        ModelID  `json:"-"` // of the files in Dir: the first of the ids that they serve
	ContextLength  int      // tokens
	// LearningRateScale multiplies a job's learningRate. The ids served on behalf of a much
	// larger model (Titan) take that model's learning rates, which are too small for this one.
	LearningRateScale float64
	Defaults          TrainDefaults // hyperparameters when the caller names none
}

// CustomModel is what a completed job leaves behind. Where its files are follows from its id:
// a path in the record would be wrong as soon as the data directory is moved.
type CustomModel struct {
	Meta `json:"-"`

	JobName           string
	JobARN            ARN
	BaseModelID       string
	BaseModelARN      ARN
	CustomizationType string
	HyperParameters   map[string]string
	TrainingURI       string
	ValidationURIs    []string
	OutputURI         string
	TrainingLoss      *float64
	ValidationLosses  []float64
	KMSKeyID          string
	// AdapterOf is the model whose weights the files need beside their own, as BaseModelID of the
	// job named it: they are low-rank adapters. "" for a whole model.
	AdapterOf string
}

// ModelFiles is where a model is on this machine.
type ModelFiles struct {
	ID            ModelID
	Dir           string
	BaseID        ModelID // of adapters: the model that they belong to; "" for a whole model
	BaseDir       string  // where that is
	ContextLength int     // tokens
}

// ModelID is a model's one name inside the program: a foundation model's catalog id, not an alias
// of it, or a custom model's ARN. Ids that are served by the same files have one ModelID.
type ModelID string

// Model is what an identifier names: a foundation model, or a custom model with the foundation
// model that it goes back to.
type Model struct {
	Scope        Scope // where it was found
	Foundation   FoundationModel
	FoundationID string       // as the caller, or the one who made the custom model, named it
	Custom       *CustomModel // nil for the foundation model itself
}

// Ref returns what a job remembers the model by: a catalog id as it was named, or a custom
// model's ARN.
func (m *Model) Ref() string {
	if m.Custom != nil {
		return string(m.Custom.ARN)
	}
	return m.FoundationID
}

// ARN returns the ARN of the model itself.
func (m *Model) ARN() ARN {
	if m.Custom != nil {
		return m.Custom.ARN
	}
	return m.FoundationARN()
}

// FoundationARN returns the ARN of the foundation model that the model goes back to, or is.
func (m *Model) FoundationARN() ARN { return m.Scope.ARN(KindFoundationModel, m.FoundationID) }

// Target is what an invocation runs on: a model, and the capacity that answers for it.
type Target struct {
	Scope    Scope // the caller's
	Resource ARN   // what usage is metered on: the throughput, or the foundation model on demand
	Units    int   // model units
	Files    ModelFiles
	Dialect  string // of the body, FoundationModel.Dialect
	// Reserved is the record of capacity that may not be ready yet; zero on demand. CheckServes says
	// whether it takes requests: CodeModelNotReady if that is worth waiting for, another error if not.
	Reserved    Key
	CheckServes func(reserved Record) error
}

// LicenceFiles are the files in which a model's directory may say what is allowed with it. They go
// wherever its weights go.
var LicenceFiles = []string{
	"LICENSE", "LICENSE.txt", "LICENSE.md", "NOTICE", "NOTICE.txt", "NOTICE.md", "USE_POLICY.md",
}

// TextFiles are the files that a model's directory in Hugging Face layout is wanted with beside its
// weights, if they are there.
var TextFiles = slices.Concat([]string{
	"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "tokenizer.model",
	"special_tokens_map.json", "added_tokens.json", "chat_template.jinja", "chat_template.json",
	"README.md",
}, LicenceFiles)

// TextBytesMax is the longest of them: the longest tokenizer.json that is read.
const TextBytesMax = 64 << 20

// The types of customization that a model may allow (CustomizationType).
const (
	FineTuning           = "FINE_TUNING"
	ContinuedPreTraining = "CONTINUED_PRE_TRAINING"
)

// ModelActive is the one state of a custom model (ModelStatus): its files were in place before its
// record, so it can be used. It never changes. A deleted model's record goes before its files, and
// the next sweep takes what a crash has left of them.
const ModelActive Status = "Active"

// Record returns the model as the store keeps it.
func (m *CustomModel) Record() Record { return Record{Meta: m.Meta, Body: marshal(m)} }

// CustomModelOf reads a custom model from its record.
func CustomModelOf(r Record) (*CustomModel, error) {
	return nounOf(r, KindCustomModel, func(m *CustomModel) *Meta { return &m.Meta })
}
