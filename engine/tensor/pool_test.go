package tensor

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"weak"
)

func TestPoolRunsEachTaskOnce(t *testing.T) {
	t.Parallel()
	for _, threads := range []int{0, 1, 2, 5} {
		p := NewPool(threads)
		for _, n := range []int{0, 1, 2, 3, 100, 1000} {
			ran := make([]atomic.Int32, n)
			p.For(n, func(task, worker int) {
				ran[task].Add(1)
				if worker < 0 || worker >= p.Threads() {
					t.Errorf("worker %d of %d", worker, p.Threads())
				}
			})
			for i := range ran {
				if c := ran[i].Load(); c != 1 {
					t.Fatalf("%d threads, %d tasks: task %d ran %d times", threads, n, i, c)
				}
			}
		}
		p.Close()
	}
}

// TestPoolWorkersAreExclusive: two calls with the same worker never overlap, so worker may
// index scratch memory.
func TestPoolWorkersAreExclusive(t *testing.T) {
	t.Parallel()
	p := NewPool(4)
	defer p.Close()
	busy := make([]atomic.Bool, 4)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for range 200 {
				p.For(20, func(_, worker int) {
					if !busy[worker].CompareAndSwap(false, true) {
						t.Error("a worker runs two tasks at a time")
					}
					busy[worker].Store(false)
				})
			}
		})
	}
	wg.Wait()
}

func TestNilPool(t *testing.T) {
	t.Parallel()
	var p *Pool
	n := 0
	p.For(7, func(int, int) { n++ })
	if n != 7 || p.Threads() != 1 {
		t.Errorf("a nil pool ran %d of 7 tasks on %d threads", n, p.Threads())
	}
	p.Close()
}

func TestPoolPanic(t *testing.T) {
	t.Parallel()
	p := NewPool(3)
	defer p.Close()
	var ran atomic.Int32
	func() {
		defer func() {
			if v := recover(); v != "task 5" {
				t.Errorf("recovered %v, want the panic of the task", v)
			}
		}()
		p.For(50, func(task, _ int) {
			ran.Add(1)
			if task == 5 {
				panic("task 5")
			}
		})
	}()
	if ran.Load() != 50 {
		t.Errorf("%d of 50 tasks ran", ran.Load())
	}
	p.For(4, func(int, int) { ran.Add(1) })
	if ran.Load() != 54 {
		t.Error("the pool does not work after a panic")
	}
}

// TestPoolForgets: a pool that has nothing to do keeps nothing of its last loop alive, so that
// the weights of a model that was unloaded are freed.
func TestPoolForgets(t *testing.T) {
	t.Parallel()
	p := NewPool(2)
	defer p.Close()
	weights := func() weak.Pointer[[1 << 20]byte] {
		w := new([1 << 20]byte)
		p.For(4, func(task, _ int) { w[task] = 1 })
		return weak.Make(w)
	}()
	runtime.GC()
	if weights.Value() != nil {
		t.Error("what the last loop worked on is still in memory")
	}
}

func BenchmarkPoolFor(b *testing.B) {
	p := NewPool(2)
	defer p.Close()
	for b.Loop() {
		p.For(2, func(int, int) {})
	}
}
