package attempt

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"outcrop.dev/outcrop"
)

// ID names one attempt at one job.
type ID struct {
	Job    outcrop.ARN
	Number int
}

// Spec is what an attempt has to do. It holds no secrets. The first fields and Grant are any
// work's. What belongs to one kind of work is Task. Customization is older than Task: on the wire
// its members stand beside the others.
type Spec struct {
	JobARN     outcrop.ARN
	JobID      string
	Attempt    int
	ScratchDir string        // absolute
	Heartbeat  time.Duration // how often the server wants to hear
	Threads    int
	Grant
	Task json.RawMessage `json:",omitempty"` // what is to be done, in words that the kind of work alone knows
	Customization
}

// Customization is what is to be done for a model customization job.
type Customization struct {
	CustomizationType string
	BaseModelID       string
	ModelDir          string // the base model, in Hugging Face layout
	BaseDir           string // if that is an adapter: the model that it belongs to; "" if it is whole
	ContextLength     int    // tokens
	HyperParameters   map[string]string
	Train             outcrop.TrainSpec
}

// Grant names the objects that an attempt may touch.
type Grant struct {
	TrainingURI    string
	ValidationURIs []string
	OutputPrefix   string          // artefacts go below it; no slash at the end
	Inputs         []outcrop.Input `json:",omitempty"` // as they were accepted; none of a job of an earlier program
}

// Accepted returns the input at uri as it was accepted, if that is known.
func (g *Grant) Accepted(uri string) (in outcrop.Input, ok bool) {
	i := slices.IndexFunc(g.Inputs, func(in outcrop.Input) bool { return in.URI == uri })
	if i < 0 {
		return in, false
	}
	return g.Inputs[i], true
}

// Input reports whether uri is one of the job's inputs.
func (g *Grant) Input(uri string) bool {
	return uri == g.TrainingURI || slices.Contains(g.ValidationURIs, uri)
}

// Reads reports whether the attempt may read the object at uri: its inputs, and what it
// has written itself.
func (g *Grant) Reads(uri string) bool { return g.Input(uri) || g.Writes(uri) }

// Writes reports whether the attempt may write the object at uri.
func (g *Grant) Writes(uri string) bool {
	return strings.HasPrefix(uri, g.OutputPrefix+"/") && len(uri) > len(g.OutputPrefix)+1
}
