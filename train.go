package outcrop

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// TrainSpec is a job's hyperparameters as numbers.
type TrainSpec struct {
	Epochs       int
	BatchSize    int     // rows a step
	LearningRate float64 // the peak, after LearningRateScale
	WarmupSteps  int
	Seed         uint64
}

// The ranges that AWS documents for Titan Text Express and Lite ("custom-models-hp").
const (
	EpochsMin, EpochsMax                 = 1, 10
	BatchSizeMin, BatchSizeMax           = 1, 64
	LearningRateMin, LearningRateMax     = 0.0, 1.0
	WarmupStepsMin, WarmupStepsMax       = 0, 250
	hyperEpochs, hyperBatch, hyperWarmup = "epochCount", "batchSize", "learningRateWarmupSteps"
	hyperLearningRate, hyperSeed         = "learningRate", "seed"
)

// ParseHyperParameters reads Bedrock's hyperParameters (strings) for base: missing ones take
// its defaults, learningRate is multiplied by its LearningRateScale. "seed" is an extension.
// CodeValidation names every bad value at once, with its range.
func ParseHyperParameters(base FoundationModel, hp map[string]string) (TrainSpec, error) {
	p := hyperParser{hp: hp, spec: base.Defaults}
	p.int(hyperEpochs, EpochsMin, EpochsMax, &p.spec.Epochs)
	p.int(hyperBatch, BatchSizeMin, BatchSizeMax, &p.spec.BatchSize)
	p.int(hyperWarmup, WarmupStepsMin, WarmupStepsMax, &p.spec.WarmupSteps)
	p.learningRate(base.LearningRateScale)
	p.seed()
	p.unknown()
	if len(p.bad) > 0 {
		return TrainSpec{}, Errorf(CodeValidation, "%s", strings.Join(p.bad, " "))
	}
	return p.spec, nil
}

type hyperParser struct {
	hp   map[string]string
	spec TrainSpec
	bad  []string
}

func (p *hyperParser) int(name string, lo, hi int, dst *int) {
	s, ok := p.hp[name]
	if !ok {
		return
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < lo || n > hi {
		p.bad = append(p.bad, "The value "+strconv.Quote(s)+" of hyperparameter "+name+
			" is not valid: it must be an integer from "+strconv.Itoa(lo)+" to "+strconv.Itoa(hi)+".")
		return
	}
	*dst = n
}

func (p *hyperParser) learningRate(scale float64) {
	s, ok := p.hp[hyperLearningRate]
	if !ok {
		return
	}
	x, err := strconv.ParseFloat(s, 64)
	if err != nil || strings.Trim(s, "0123456789.eE+-") != "" || math.IsNaN(x) || x < LearningRateMin || x > LearningRateMax {
		p.bad = append(p.bad, "The value "+strconv.Quote(s)+" of hyperparameter "+hyperLearningRate+
			" is not valid: it must be a number from 0 to 1, such as 0.00001.")
		return
	}
	if scale == 0 {
		scale = 1
	}
	p.spec.LearningRate = x * scale
}

func (p *hyperParser) seed() {
	s, ok := p.hp[hyperSeed]
	if !ok {
		return
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		p.bad = append(p.bad, "The value "+strconv.Quote(s)+" of hyperparameter seed is not valid: it must be an integer from 0.")
		return
	}
	p.spec.Seed = n
}

func (p *hyperParser) unknown() {
	known := map[string]bool{hyperEpochs: true, hyperBatch: true, hyperWarmup: true, hyperLearningRate: true, hyperSeed: true}
	var names []string
	for name := range p.hp {
		if !known[name] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		p.bad = append(p.bad, "The hyperparameter "+strconv.Quote(name)+
			" is not known: use epochCount, batchSize, learningRate, learningRateWarmupSteps or seed.")
	}
}
