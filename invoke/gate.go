package invoke

import (
	"context"
	"slices"
	"sync"

	"outcrop.dev/outcrop"
)

// gates lets the requests of each throughput pass in the order of their arrival, as many at
// once as its model units allow, and refuses those that would wait too long.
type gates struct {
	running int // requests at once for each unit
	waiting int // requests that may wait for each unit

	mu    sync.Mutex
	byARN map[outcrop.ARN]*gate // those with requests
}

// gate is the requests of one throughput.
type gate struct {
	running int
	queue   []chan struct{} // closed when it is the request's turn
}

// enter waits for capacity; leave gives it back. CodeThrottling if too many wait already.
func (g *gates) enter(ctx context.Context, arn outcrop.ARN, units int) (leave func(), err error) {
	turn, err := g.line(arn, units)
	if err != nil {
		return nil, err
	}
	leave = func() { g.leave(arn) }
	select {
	case <-turn:
		return leave, nil
	case <-ctx.Done():
		g.giveUp(arn, turn)
		return nil, ctx.Err()
	}
}

// line takes a place in the queue, or passes at once: then turn is closed already.
func (g *gates) line(arn outcrop.ARN, units int) (turn chan struct{}, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	q := g.byARN[arn]
	if q == nil {
		q = &gate{}
		g.byARN[arn] = q
	}
	turn = make(chan struct{})
	switch {
	case q.running < units*g.running:
		q.running++
		close(turn)
	case len(q.queue) < units*g.waiting:
		q.queue = append(q.queue, turn)
	default:
		return nil, outcrop.Errorf(outcrop.CodeThrottling,
			"Too many requests, please wait before retrying. %s has %d model units: %d requests run and %d wait.", arn, units, q.running, len(q.queue))
	}
	return turn, nil
}

// leave passes the capacity on to the next in the queue.
func (g *gates) leave(arn outcrop.ARN) {
	g.mu.Lock()
	defer g.mu.Unlock()
	q := g.byARN[arn]
	if len(q.queue) > 0 {
		close(q.queue[0])
		q.queue = q.queue[1:]
		return
	}
	if q.running--; q.running == 0 {
		delete(g.byARN, arn)
	}
}

// giveUp leaves the queue, or passes on the turn that came at the same moment.
func (g *gates) giveUp(arn outcrop.ARN, turn chan struct{}) {
	g.mu.Lock()
	q := g.byARN[arn]
	i := slices.Index(q.queue, turn)
	if i >= 0 {
		q.queue = slices.Delete(q.queue, i, i+1)
	}
	g.mu.Unlock()
	if i < 0 {
		g.leave(arn)
	}
}
