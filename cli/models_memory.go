package cli

import (
	"fmt"

	"github.com/dustin/go-humanize"

	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/engine/train"
)

// modelMemory is about what a model needs, in bytes.
type modelMemory struct {
	Serve    uint64 // one conversation
	FineTune uint64 // all weights
	LoRA     uint64 // adapters of memoryRank on all linear layers
	Tokens   int    // of the conversation, and of the longest example
}

const (
	// memoryTokens is a usual length of examples and of conversations.
	memoryTokens = 512
	// memoryRank is a usual rank of LoRA.
	memoryRank = 16
)

// modelMemory sums up what the model in dir needs on this machine. What a job needs depends on
// its data and its hyperparameters too: `outcrop jobs plan` tells.
func (a *app) modelMemory(dir string) (modelMemory, error) {
	c, err := model.ReadConfig(dir)
	if err != nil {
		return modelMemory{}, err
	}
	exec, err := a.exec(threadsFlag(0).count())
	if err != nil {
		return modelMemory{}, err
	}
	defer exec.Pool.Close()
	m := modelMemory{Tokens: min(memoryTokens, c.Context)}
	m.Serve = uint64(c.ServingBytes(exec) + c.SessionBytes(exec.Kernel, m.Tokens))
	options, lora := train.FineTune(1, 0, 0), model.LoRA{Rank: memoryRank, Alpha: memoryRank}
	m.FineTune = uint64(train.Measure(c, nil, exec, m.Tokens, options).Total())
	m.LoRA = uint64(train.Measure(c, &lora, exec, m.Tokens, options).Total())
	return m, nil
}

// String is the sentence that a person reads.
func (m modelMemory) String() string {
	return fmt.Sprintf("It needs about %s of memory to serve, %s to fine-tune all weights, %s with LoRA (%d tokens).",
		humanize.IBytes(m.Serve), humanize.IBytes(m.FineTune), humanize.IBytes(m.LoRA), m.Tokens)
}
