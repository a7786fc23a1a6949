package tensor

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Spinning before parking: waking a parked thread costs tens of microseconds in a virtual
// machine, about as much as a small layer, so a worker that finds nothing to do looks
// again spinRounds times, and lets other goroutines run between the looks.
const (
	spinRounds = 400
	spinLooks  = 32
)

// Pool runs loops on a fixed number of threads. The zero value is not usable; a nil *Pool
// is, and runs everything in the caller.
type Pool struct {
	threads int
	serial  sync.Mutex // one loop at a time
	current atomic.Pointer[loop]
	workers []*worker
}

// loop is one call of For. Workers that come late find no task left in it.
type loop struct {
	n      int64
	f      func(task, worker int)
	next   atomic.Int64 // the next task to claim
	_      [48]byte     // next is contended: keep left off its cache line
	left   atomic.Int64 // tasks not yet finished
	done   chan struct{}
	failed atomic.Pointer[any] // the first panic in a task
}

type worker struct {
	parked atomic.Bool
	wake   chan struct{}
}

// NewPool returns a pool of the given number of threads, the caller of For among them; less
// than one means one. Close must be called to release the threads.
func NewPool(threads int) *Pool {
	p := &Pool{threads: max(threads, 1)}
	for i := 1; i < p.threads; i++ {
		w := &worker{wake: make(chan struct{}, 1)}
		p.workers = append(p.workers, w)
		go p.work(w, i)
	}
	return p
}

// Threads returns the number of threads, 1 for a nil pool.
func (p *Pool) Threads() int {
	if p == nil {
		return 1
	}
	return p.threads
}

// For calls f(task, worker) once for every task in [0, n) and returns when all have
// returned. Tasks are claimed in order by whoever is free; worker in [0, Threads()) tells
// which scratch memory a call may use. For may be called from several goroutines, one
// runs at a time. f must not call For on the same pool. A panic in a task is raised again
// in the caller; with several threads the other tasks are done first.
func (p *Pool) For(n int, f func(task, worker int)) {
	if p == nil {
		forInline(n, f)
		return
	}
	p.serial.Lock()
	defer p.serial.Unlock()
	if p.threads == 1 || n <= 1 {
		forInline(n, f)
		return
	}
	l := &loop{n: int64(n), f: f, done: make(chan struct{}, 1)}
	l.left.Store(int64(n))
	p.current.Store(l)
	for _, w := range p.workers[:min(len(p.workers), n-1)] {
		w.unpark()
	}
	l.run(0)
	l.wait()
	l.f = nil // the loop stays until the next one: what f refers to, a model's weights even, must not
	if v := l.failed.Load(); v != nil {
		panic(*v)
	}
}

// Close ends the threads. It waits for a running For; the pool must not be used after.
func (p *Pool) Close() {
	if p == nil {
		return
	}
	p.serial.Lock()
	defer p.serial.Unlock()
	p.current.Store(&loop{n: -1})
	for _, w := range p.workers {
		w.unpark()
	}
	p.workers = nil
	p.threads = 1
}

func forInline(n int, f func(task, worker int)) {
	for i := range n {
		f(i, 0)
	}
}

// work is the life of one worker.
func (p *Pool) work(w *worker, id int) {
	var last *loop
	for {
		l := p.await(w, last)
		if l.n < 0 {
			return
		}
		l.run(id)
		last = l
	}
}

// await returns the current loop once it is not last: it spins for a while, then parks.
func (p *Pool) await(w *worker, last *loop) *loop {
	for {
		for range spinRounds {
			for range spinLooks {
				if l := p.current.Load(); l != last {
					return l
				}
			}
			runtime.Gosched()
		}
		w.parked.Store(true)
		if p.current.Load() != last && w.parked.CompareAndSwap(true, false) {
			continue
		}
		<-w.wake
	}
}

// unpark wakes w if it is parked. It never blocks: only the one who clears parked sends.
func (w *worker) unpark() {
	if w.parked.CompareAndSwap(true, false) {
		w.wake <- struct{}{}
	}
}

// run claims and runs tasks until none is left.
func (l *loop) run(worker int) {
	for {
		i := l.next.Add(1) - 1
		if i >= l.n {
			return
		}
		l.task(int(i), worker)
	}
}

func (l *loop) task(i, worker int) {
	defer func() {
		if v := recover(); v != nil {
			l.failed.CompareAndSwap(nil, &v)
		}
		if l.left.Add(-1) == 0 {
			l.done <- struct{}{}
		}
	}()
	l.f(i, worker)
}

// wait returns when every task has finished.
func (l *loop) wait() {
	for range spinRounds {
		for range spinLooks {
			if l.left.Load() == 0 {
				return
			}
		}
		runtime.Gosched()
	}
	<-l.done
}
