package chattemplate

import "slices"

// Example is rendered text to train on.
type Example struct {
	Tokens  []int32
	Trained []bool // of each token: whether the model learns to produce it
	// Skipped counts the answers that are not trained, because the template writes them, as
	// part of a conversation that goes on, otherwise than it asks for them.
	Skipped int
}

// PromptTokens counts the tokens that are given, CompletionTokens those that are learnt,
// the end of text among them.
func (e Example) PromptTokens() int { return len(e.Tokens) - e.CompletionTokens() }

// CompletionTokens: see PromptTokens.
func (e Example) CompletionTokens() int {
	n := 0
	for _, trained := range e.Trained {
		if trained {
			n++
		}
	}
	return n
}

// Truncate returns the first n tokens, or e itself if it has no more. What is cut off is
// the end, so that a completion that is cut is not taught to end there, and its memory is free.
func (e Example) Truncate(n int) Example {
	if len(e.Tokens) <= n {
		return e
	}
	e.Tokens, e.Trained = slices.Clone(e.Tokens[:n]), slices.Clone(e.Trained[:n])
	return e
}

// Shift returns e as next-token prediction: inputs, and for each the token to predict,
// ignore where that one is not trained.
func (e Example) Shift(ignore int32) (inputs, targets []int32) {
	if len(e.Tokens) < 2 {
		return nil, nil
	}
	targets = make([]int32, len(e.Tokens)-1)
	for i := range targets {
		targets[i] = ignore
		if e.Trained[i+1] {
			targets[i] = e.Tokens[i+1]
		}
	}
	return e.Tokens[:len(targets)], targets
}

// mark gives the tokens up to n that have none yet their place in the loss.
func (e *Example) mark(n int, trained bool) {
	for len(e.Trained) < n {
		e.Trained = append(e.Trained, trained)
	}
}
