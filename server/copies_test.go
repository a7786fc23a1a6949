package server_test

import (
	"runtime"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
)

// A large body is copied once at most between the socket and the answer: beside it there is its
// text. (Not parallel: it counts all that is allocated.)
func TestCopiesOfABody(t *testing.T) {
	s := start(t)
	const size = 24_500_000
	body := []byte(`{"inputText":"` + strings.Repeat("a ", size/2) + `"}`)
	c := bedrockruntime.NewFromConfig(config(s, s.RootKey(), http1()))
	invoke := func() {
		_, err := c.InvokeModel(t.Context(), &bedrockruntime.InvokeModelInput{ModelId: aws.String("amazon.titan-text-express-v1"), Body: body})
		if err == nil || !strings.Contains(err.Error(), "ValidationException") {
			t.Fatalf("a prompt of 24.5 MB: %v", err)
		}
	}
	invoke() // loads the model
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	invoke()
	runtime.ReadMemStats(&after)
	got := float64(after.TotalAlloc-before.TotalAlloc) / size
	t.Logf("%.2f times the body was allocated", got)
	if got > 2.5 {
		t.Errorf("%.2f times the body was allocated, want its own and its text's", got)
	}
}
