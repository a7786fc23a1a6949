//go:build long

package tokenizer

import "testing"

// TestAllLongTexts: no kind needs more than longTime for a mebibyte of one thing.
func TestAllLongTexts(t *testing.T) {
	longTexts(t, longTime, kindNames(t), []string{"a", " ", "\n", "🙂", "\u0301", "é", "understanding", "ab ", "x\u0301", "<s>", "世", "9", "<|eot_id|"})
}
