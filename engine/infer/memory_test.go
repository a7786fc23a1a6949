package infer

import (
	"context"
	"runtime"
	"slices"
	"testing"
)

func queued(m *memory) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.queue)
}

// TestMemoryIsServedInOrder: a large request is not passed by smaller ones, and when the first in
// the queue gives up, those behind it go on at once.
func TestMemoryIsServedInOrder(t *testing.T) {
	t.Parallel()
	m := newMemory(Options{CacheBytes: 10})
	first := &lease{bytes: 6}
	if err := m.acquire(context.Background(), first); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	gone, served := make(chan error), make(chan int64, 2)
	go func() { gone <- m.acquire(ctx, &lease{bytes: 8}) }()
	for queued(m) < 1 {
		runtime.Gosched()
	}
	for i, bytes := range []int64{3, 5} {
		l := &lease{bytes: bytes}
		go func() {
			if err := m.acquire(context.Background(), l); err != nil {
				t.Error(err)
			}
			served <- l.bytes
		}()
		for queued(m) < 2+i {
			runtime.Gosched()
		}
	}
	cancel()
	if err := <-gone; err != context.Canceled {
		t.Errorf("got %v", err)
	}
	if got := <-served; got != 3 || queued(m) != 1 || m.free != 1 {
		t.Errorf("a request of %d is served, %d wait, %d are free", got, queued(m), m.free)
	}
	m.release(first, nil, nil)
	if got := <-served; got != 5 || queued(m) != 0 || m.free != 2 {
		t.Errorf("a request of %d is served, %d wait, %d are free", got, queued(m), m.free)
	}
}

// TestMemoryGrantedTooLate: who gives up at the moment of the grant gives it back.
func TestMemoryGrantedTooLate(t *testing.T) {
	t.Parallel()
	m := newMemory(Options{CacheBytes: 10})
	l := &lease{bytes: 7}
	if err := m.acquire(context.Background(), l); err != nil {
		t.Fatal(err)
	}
	m.giveUp(l)
	if m.free != 10 || slices.Contains(m.queue, l) {
		t.Errorf("%d free", m.free)
	}
}
