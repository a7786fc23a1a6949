package server

import (
	"context"
	"time"

	"golang.org/x/sync/semaphore"

	"outcrop.dev/outcrop/wire/sigv4"
)

// Limits on the bodies that are in memory before it is known who sends them. An access key id
// is no secret, and with it alone anybody can have a body read.
const (
	// unverifiedMax is for all of them together: eight of the largest, or a thousand prompts
	// of a megabyte, well below what any machine that serves a model has. While they are read,
	// they may take twice that.
	unverifiedMax = 8 * sigv4.BufferedMax

	// unverifiedWait is how long a request waits for its share: longer than a local network
	// takes for a large body, shorter than clients wait for an answer.
	unverifiedWait = 10 * time.Second
)

// bodyBudget shares out memory to requests.
type bodyBudget struct {
	bytes *semaphore.Weighted
	wait  time.Duration
}

func newBodyBudget(bytes int64, wait time.Duration) *bodyBudget {
	return &bodyBudget{semaphore.NewWeighted(bytes), wait}
}

// reserve waits until n bytes are free, which release frees again.
func (b *bodyBudget) reserve(ctx context.Context, n int64) (release func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, b.wait)
	defer cancel()
	if err := b.bytes.Acquire(ctx, n); err != nil {
		return nil, err
	}
	return func() { b.bytes.Release(n) }, nil
}
