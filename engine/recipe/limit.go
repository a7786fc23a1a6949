package recipe

import "outcrop.dev/outcrop"

// The ranges that AWS documents for Titan Text Express and Lite, Claude and Cohere
// ("custom-models-hp"), and those of the extensions. docs/hyperparameters.md lists them.
const (
	epochsMin, epochsMax         = 1, 10
	batchSizeMin, batchSizeMax   = 1, 64
	rateMin, rateMax             = 0.0, 1.0
	warmupMin, warmupMax         = 0, 250
	rateFactorMin, rateFactorMax = 0.1, 2
	patienceMin, patienceMax     = 0, 10 // Claude's and Cohere's begin at 1; 0 switches it off
	minGainMin, minGainMax       = 0, 0.1
	decayMin, decayMax           = 0, 1
	clipMin, clipMax             = 0.01, 100
	alphaMin, alphaMax           = 0.1, 1024
	dropoutMin, dropoutMax       = 0, 0.5
	sequenceMin, sequenceMax     = 16, 1 << 18 // more tokens than a row that a CPU trains on has
	intervalMin, intervalMax     = 1, 100_000
	keepMin, keepMax             = 0, epochsMax // each is a whole model on disk
	targetsMax                   = 16           // more kinds of linear layers no family has

	// RankMax is the largest rank of an adapter. Model.RankMax is the same limit where files are
	// read; a test of engine/customize holds the two together.
	rankMin, RankMax = 1, 256

	// A batch of fewer tokens leaves the kernels idle; one of more takes memory and gains nothing.
	microTokensMin, microTokensMax = 64, 65536
	microTokensUsual               = 1024 // as train.FineTune has it
)

// Default returns what a job trains with that names no hyperparameters at all.
func Default(d outcrop.TrainDefaults) outcrop.TrainSpec {
	return outcrop.TrainSpec{
		Method: outcrop.MethodFull, Epochs: d.Epochs, BatchSize: d.BatchSize, LearningRate: d.LearningRate, RateFactor: 1, WarmupSteps: d.WarmupSteps,
		Schedule: outcrop.ScheduleLinear, WeightDecay: 0.01, GradientClip: 1, Dither: true, LoRA: outcrop.LoRASpec{Rank: 16, Alpha: 32},
		MicroTokens: microTokensUsual, MinGain: 0.001, Best: outcrop.BestLast,
	}
}

// Allowed reports whether a job may be told what d says. A rate of 0, which teaches nothing, is
// no default.
func Allowed(d outcrop.TrainDefaults) bool {
	return within(d.Epochs, epochsMin, epochsMax) && within(d.BatchSize, batchSizeMin, batchSizeMax) &&
		d.LearningRate > rateMin && d.LearningRate <= rateMax && within(d.WarmupSteps, warmupMin, warmupMax)
}

func within(n, lo, hi int) bool { return n >= lo && n <= hi }
