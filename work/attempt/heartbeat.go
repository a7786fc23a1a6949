package attempt

import (
	"math"

	"outcrop.dev/outcrop"
)

// The phases of a model customization job, as a heartbeat names them. Other kinds of work have
// phases of their own.
const (
	PhaseValidation     = "Validation"
	PhaseDataProcessing = "DataProcessing"
	PhaseTraining       = "Training"
)

// The commands that answer a heartbeat.
const (
	CommandRun        = "run"
	CommandCheckpoint = "checkpoint" // write a checkpoint now, then go on
	CommandStop       = "stop"       // end without a model (ExitStopped)
	CommandPreempt    = "preempt"    // write a checkpoint, then end (ExitTemporary); another attempt goes on
	CommandStacks     = "stacks"     // print where all goroutines are into the log, then go on
)

// Heartbeat says that the worker lives and how far it is. Only the newest counts, so a lost
// one is not sent again.
type Heartbeat struct {
	Phase    string
	Progress outcrop.Progress
	Pulse
}

// Reply is the answer to a heartbeat.
type Reply struct {
	Command string
	// Base is the digest of the work's base model as it is now; "" if there is none, or while it is not
	// known. An attempt that works on another one ends (Client.UseBase).
	Base string `json:",omitempty"`
}

// phaseBytesMax bounds the name of a phase: ours are words.
const phaseBytesMax = 64

// validatorsMax is Bedrock's limit on a job's validators.
const validatorsMax = 10

// check refuses what no worker of ours sends.
func (h *Heartbeat) check() error {
	p := &h.Progress
	switch {
	case h.Phase == "" || len(h.Phase) > phaseBytesMax:
		return outcrop.Errorf(outcrop.CodeValidation, "A phase has 1 to %d bytes, and not %d.", phaseBytesMax, len(h.Phase))
	case p.Step < 0 || p.Steps < 0 || p.Epoch < 0 || p.Tokens < 0 || h.Done < 0 || h.Starved < 0:
		return outcrop.Errorf(outcrop.CodeValidation, "Progress has a negative count.")
	case len(p.ValidationLosses) > validatorsMax:
		return outcrop.Errorf(outcrop.CodeValidation, "Progress has %d validation losses: the limit is %d.", len(p.ValidationLosses), validatorsMax)
	}
	return nil
}

// finite returns p without the numbers that JSON cannot carry: a loss that is NaN is what
// ends a job, and has to get there.
func finite(p outcrop.Progress) outcrop.Progress {
	if p.TrainingLoss != nil && !isFinite(*p.TrainingLoss) {
		p.TrainingLoss = nil
	}
	var losses []float64
	for _, l := range p.ValidationLosses {
		if !isFinite(l) {
			losses = nil
			break
		}
		losses = append(losses, l)
	}
	p.ValidationLosses = losses
	if !isFinite(p.TokensPerSecond) {
		p.TokensPerSecond = 0
	}
	if !isFinite(p.ETASeconds) {
		p.ETASeconds = 0
	}
	return p
}

func isFinite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
