//go:build long

package bedrock_test

import "testing"

// TestServersShareTokensLong is TestServersShareTokens a thousand times.
func TestServersShareTokensLong(t *testing.T) { shareTokens(t, 1000) }
