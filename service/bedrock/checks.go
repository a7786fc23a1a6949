package bedrock

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

const (
	// checksAtOnce is how many checks of data run side by side; the others wait for their turn. Two,
	// so that a small one need not wait for a large one, and who asks a model meanwhile is not slowed
	// down.
	checksAtOnce = 2
	// checkLinger is how long a check is kept, and goes on, when nobody waits for it any more. SDKs
	// try again within seconds; a person, within a minute.
	checkLinger = time.Minute
)

// checks are those of data that are under way, or have just ended. Whoever asks for one that is
// there joins it, so that the next try of a caller whose patience has ended does not begin anew.
type checks struct {
	mu      sync.Mutex
	byKey   map[string]*check
	queue   []*check // that have not begun, the first one that was asked for in front
	running int
	going   sync.WaitGroup // the goroutines
}

// check is a check of data.
type check struct {
	key     string
	run     func(context.Context, *checked) error
	ctx     context.Context // ends when nobody needs the check any more
	drop    context.CancelFunc
	callers int
	alone   *time.Timer   // runs while there are none
	done    chan struct{} // closed when found and err are there
	found   checked
	err     error
}

func newChecks() *checks { return &checks{byKey: map[string]*check{}} }

// join waits for the check with a key, which run makes if there is none yet. What was found may be
// used until the caller leaves. An error is run's, or that ctx has ended; nobody joins a check that
// could not be made.
func (c *checks) join(ctx context.Context, key string, run func(context.Context, *checked) error) (found checked, leave func(), err error) {
	k := c.enter(ctx, key, run)
	leave = func() { c.leave(k) }
	select {
	case <-k.done:
		return k.found, leave, k.err
	case <-ctx.Done():
		return checked{}, leave, context.Cause(ctx)
	}
}

// enter counts a caller of the check with a key.
func (c *checks) enter(ctx context.Context, key string, run func(context.Context, *checked) error) *check {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.byKey[key]
	if k == nil {
		k = &check{key: key, run: run, done: make(chan struct{})}
		k.ctx, k.drop = context.WithCancel(context.WithoutCancel(ctx))
		c.byKey[key] = k
		c.queue = append(c.queue, k)
		c.begin()
	}
	k.callers++
	if k.alone != nil {
		k.alone.Stop()
	}
	return k
}

// begin starts as many checks as may run. c.mu is held.
func (c *checks) begin() {
	for c.running < checksAtOnce && len(c.queue) > 0 {
		k := c.queue[0]
		c.queue = slices.Delete(c.queue, 0, 1)
		c.running++
		c.going.Go(func() { c.work(k) })
	}
}

// work makes a check, and keeps what it has read as long as somebody may need it.
func (c *checks) work(k *check) {
	k.err = k.safely()
	c.mu.Lock()
	c.running--
	c.begin()
	if k.err != nil {
		c.forget(k)
	}
	c.mu.Unlock()
	close(k.done)
	<-k.ctx.Done()
	k.found.release(context.WithoutCancel(k.ctx))
}

// safely runs a check. A panic would be our own bug; because data come from strangers it is one
// check that fails of it, not the server.
func (k *check) safely() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("check of data: panic: %v\n%s", p, debug.Stack())
		}
	}()
	return k.run(k.ctx, &k.found)
}

// leave counts a caller who has gone. The check stays for a while after the last one.
func (c *checks) leave(k *check) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k.callers--; k.callers > 0 {
		return
	}
	k.alone = time.AfterFunc(checkLinger, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if k.callers == 0 {
			c.forget(k)
		}
	})
}

// forget ends a check; the next who asks for it begins anew. c.mu is held.
func (c *checks) forget(k *check) {
	if c.byKey[k.key] == k {
		delete(c.byKey, k.key)
	}
	if i := slices.Index(c.queue, k); i >= 0 {
		c.queue = slices.Delete(c.queue, i, i+1)
	}
	k.drop()
}

// close ends all checks, and returns when they have ended.
func (c *checks) close() {
	c.mu.Lock()
	for _, k := range c.byKey {
		c.forget(k)
	}
	c.mu.Unlock()
	c.going.Wait()
}
