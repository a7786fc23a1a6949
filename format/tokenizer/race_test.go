//go:build race

package tokenizer

// raceEnabled says that a regular expression takes many times as long as it does.
const raceEnabled = true
