package infer

import (
	"fmt"
	"runtime/debug"
	"slices"
	"sync"

	"outcrop.dev/outcrop/engine/model"
)

// stepTokensMax bounds the rows of a step. A long prompt is cut into steps of this many
// tokens, so that other sequences go on while it is read, and a request that is given up
// ends soon. It is what model.Serving takes in one pass.
const stepTokensMax = 256

// scheduler decodes the sequences of one model together: each step runs one token of every
// sequence, and as much of the waiting prompts as still fits. While there are none it
// costs nothing.
type scheduler struct {
	forward func([]model.Step) ([]float32, error) // model.Serving.ForwardInto the same memory every time
	vocab   int
	exec    model.Exec

	mu      sync.Mutex
	wake    sync.Cond // on mu: something arrived, or the scheduler was closed
	arrived []*sequence
	closed  bool
	ended   chan struct{} // closed when the goroutine has gone

	active  []*sequence // the goroutine's own, like all below
	reading []*sequence // those whose prompts are not read yet
	running []*sequence // those in the current step
	steps   []model.Step
}

// newScheduler starts a scheduler, whose goroutine ends with close.
func newScheduler(m *model.Serving, exec model.Exec) *scheduler {
	s := &scheduler{forward: intoOne(m), vocab: m.Vocab, exec: exec, ended: make(chan struct{})}
	s.wake.L = &s.mu
	go s.loop()
	return s
}

// intoOne returns m's Forward into memory of its own, which holds until the next call: a step of
// 32 sequences makes megabytes of logits, dozens of times a second.
func intoOne(m *model.Serving) func([]model.Step) ([]float32, error) {
	var logits []float32
	return func(steps []model.Step) ([]float32, error) {
		n := len(steps) * m.Vocab
		logits = slices.Grow(logits[:0], n)[:n]
		return logits, m.ForwardInto(logits, steps)
	}
}

// submit hands over a sequence; its outbox tells the rest.
func (s *scheduler) submit(q *sequence) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arrived = append(s.arrived, q)
	s.wake.Signal()
}

// close ends the scheduler after the sequences under way, and waits for it.
func (s *scheduler) close() {
	s.mu.Lock()
	s.closed = true
	s.wake.Signal()
	s.mu.Unlock()
	<-s.ended
}

func (s *scheduler) loop() {
	defer close(s.ended)
	for s.admit() {
		s.drop()
		if err := s.step(); err != nil {
			s.failAll(err)
		}
	}
}

// admit takes the sequences that have arrived, and waits for one if there are none. It
// returns false when the scheduler is closed and has nothing left to do.
func (s *scheduler) admit() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.active)+len(s.arrived) == 0 {
		if s.closed {
			return false
		}
		s.wake.Wait()
	}
	s.active = append(s.active, s.arrived...)
	clear(s.arrived)
	s.arrived = s.arrived[:0]
	return true
}

// drop ends the sequences that nobody waits for any more.
func (s *scheduler) drop() {
	s.keep(func(q *sequence) bool {
		err := q.ctx.Err()
		if err != nil {
			q.fail(err)
		}
		return err == nil
	})
}

// keep drops the active sequences for which alive is false.
func (s *scheduler) keep(alive func(*sequence) bool) {
	kept := s.active[:0]
	for _, q := range s.active {
		if alive(q) {
			kept = append(kept, q)
		}
	}
	clear(s.active[len(kept):])
	s.active = kept
}

// step runs the model once and gives every sequence its logits. A panic in the model ends
// the requests that it served, not the server.
func (s *scheduler) step() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic while decoding: %v\n%s", p, debug.Stack())
		}
		clear(s.steps) // the next step may be long in coming, and the sessions' memory is another's by then
		clear(s.running)
	}()
	s.plan()
	if len(s.steps) == 0 {
		return nil
	}
	logits, err := s.forward(s.steps)
	if err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	s.exec.Pool.For(len(s.running), func(i, _ int) {
		if q := s.running[i]; len(q.next()) == 0 {
			q.draw(logits[i*s.vocab : (i+1)*s.vocab])
		}
	})
	s.keep(func(q *sequence) bool { return len(q.next()) > 0 || !q.accept() })
	return nil
}

// plan sets running and steps: one token of every sequence that is answering, and as much of the
// prompts as there is room for.
func (s *scheduler) plan() {
	room := stepTokensMax
	s.reading = s.reading[:0]
	for _, q := range s.active {
		if q.taken = 0; len(q.next()) > 1 {
			s.reading = append(s.reading, q)
		} else {
			q.taken = 1
			room--
		}
	}
	share(s.reading, room)
	clear(s.reading)
	s.steps, s.running = s.steps[:0], s.running[:0]
	for _, q := range s.active {
		if q.taken > 0 {
			s.running = append(s.running, q)
			s.steps = append(s.steps, model.Step{Session: q.session, Tokens: q.next()[:q.taken]})
		}
	}
}

// share shares room out among prompts, which stand in the order of their arrival and are sorted:
// half of it for the one that came first, which so is read at no less than half of the speed; the
// rest goes to the one that has the least left to read, and so on. A short question does not wait
// for a long document before it, and a long one not for any number of short ones after it.
func share(prompts []*sequence, room int) {
	if len(prompts) == 0 || room <= 0 {
		return
	}
	prompts[0].taken = min((room+1)/2, len(prompts[0].next()))
	room -= prompts[0].taken
	slices.SortStableFunc(prompts, func(a, b *sequence) int { return len(a.next()) - len(b.next()) })
	for _, q := range prompts {
		more := min(room, len(q.next())-q.taken)
		q.taken += more
		room -= more
	}
}

// failAll ends all sequences. What a step that fails has left in their sessions is not known.
func (s *scheduler) failAll(err error) {
	s.keep(func(q *sequence) bool {
		q.session = nil
		q.fail(err)
		return false
	})
}
