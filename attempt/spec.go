package attempt

import (
	"strings"
	"time"

	"outcrop.dev/outcrop"
)

// ID names one attempt at one job.
type ID struct {
	Job    outcrop.ARN
	Number int
}

// Spec is what an attempt has to do. It holds no secrets.
type Spec struct {
	JobARN            outcrop.ARN
	JobID             string
	Attempt           int
	CustomizationType string
	BaseModelID       string
	ModelDir          string // the base model, in Hugging Face layout
	ContextLength     int    // tokens
	ScratchDir        string // absolute
	HyperParameters   map[string]string
	Train             outcrop.TrainSpec
	TrainingURI       string
	ValidationURIs    []string
	OutputPrefix      string        // artefacts go below it; no slash at the end
	Heartbeat         time.Duration // how often the server wants to hear
	Threads           int
}

// Reads reports whether the attempt may read the object at uri: its inputs, and what it
// has written itself.
func (s *Spec) Reads(uri string) bool {
	if uri == s.TrainingURI || s.Writes(uri) {
		return true
	}
	for _, v := range s.ValidationURIs {
		if uri == v {
			return true
		}
	}
	return false
}

// Writes reports whether the attempt may write the object at uri.
func (s *Spec) Writes(uri string) bool {
	return strings.HasPrefix(uri, s.OutputPrefix+"/") && len(uri) > len(s.OutputPrefix)+1
}
