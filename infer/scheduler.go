package infer

import (
	"fmt"
	"runtime/debug"
	"sync"

	"outcrop.dev/outcrop/model"
	"outcrop.dev/outcrop/nn"
)

// stepTokensMax bounds the rows of a step. A long prompt is cut into steps of this many
// tokens, so that other sequences go on while it is read, and a request that is given up
// ends soon. It is what model.Serving takes in one pass.
const stepTokensMax = 256

// scheduler decodes the sequences of one model together: each step runs one token of every
// sequence, and as much of the waiting prompts as still fits. While there are none it
// costs nothing.
type scheduler struct {
	forward func([]model.Step) ([]float32, error) // model.Serving.Forward
	vocab   int
	exec    nn.Exec

	mu      sync.Mutex
	wake    sync.Cond // on mu: something arrived, or the scheduler was closed
	arrived []*sequence
	closed  bool
	ended   chan struct{} // closed when the goroutine has gone

	active  []*sequence // the goroutine's own, like all below
	running []*sequence // those in the current step
	steps   []model.Step
}

// newScheduler starts a scheduler, whose goroutine ends with close.
func newScheduler(m *model.Serving, exec nn.Exec) *scheduler {
	s := &scheduler{forward: m.Forward, vocab: m.Vocab, exec: exec, ended: make(chan struct{})}
	s.wake.L = &s.mu
	go s.loop()
	return s
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
		if q := s.running[i]; q.taken == len(q.next) {
			q.draw(logits[i*s.vocab : (i+1)*s.vocab])
		}
	})
	s.keep(func(q *sequence) bool {
		q.next = q.next[q.taken:]
		return len(q.next) > 0 || !q.accept()
	})
	return nil
}

// plan sets running and steps: single tokens first, then prompts in the order of their arrival while
// there is room.
func (s *scheduler) plan() {
	room := stepTokensMax
	for _, q := range s.active {
		if q.taken = 0; len(q.next) == 1 {
			q.taken = 1
			room--
		}
	}
	clear(s.steps)
	clear(s.running)
	s.steps, s.running = s.steps[:0], s.running[:0]
	for _, q := range s.active {
		if len(q.next) > 1 {
			q.taken = max(0, min(room, len(q.next)))
			room -= q.taken
		}
		if q.taken > 0 {
			s.running = append(s.running, q)
			s.steps = append(s.steps, model.Step{Session: q.session, Tokens: q.next[:q.taken]})
		}
	}
}

func (s *scheduler) failAll(err error) {
	s.keep(func(q *sequence) bool { q.fail(err); return false })
}
