//go:build linux

package gemm

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// TestScheduler multiplies on many goroutines while signals arrive, garbage is collected,
// processes are started and threads are locked: every result must have the same bits. This
// is what shows that no register and no tile state is lost when the operating system or the
// Go scheduler takes a core away.
func TestScheduler(t *testing.T) {
	kernels := Kernels()[:len(Kernels())-2] // all but the two in plain Go
	if len(kernels) == 0 {
		t.Skip("NOT TESTED: this build or CPU has no assembly")
	}
	for _, k := range kernels {
		t.Run(k.name, func(t *testing.T) { testScheduler(t, k) })
	}
}

const (
	schedulerGoroutines = 16  // several for each core: the operating system must preempt
	schedulerProducts   = 200 // by each
)

func testScheduler(t *testing.T, k *Kernel) {
	r := rand.New(rand.NewPCG(23, 24))
	const m, n, kk = 70, 100, 600
	a, b := randomMatrix(r, m, kk, false, false), randomMatrix(r, kk, n, true, false)
	packed, want := Pack(nil, k, b), make([]float32, m*n)
	MulPacked(nil, k, want, n, a, packed, false)

	stop := disturb(t)
	defer stop()
	var wrong atomic.Int32
	var wg sync.WaitGroup
	for g := range schedulerGoroutines {
		wg.Go(func() {
			if g%4 == 0 {
				runtime.LockOSThread() // a thread of its own, made after AMX was permitted
				defer runtime.UnlockOSThread()
			}
			for range schedulerProducts {
				c := make([]float32, m*n) // garbage to collect
				MulPacked(nil, k, c, n, a, packed, false)
				for i := range c {
					if c[i] != want[i] {
						wrong.Add(1)
						break
					}
				}
			}
		})
	}
	wg.Wait()
	if w := wrong.Load(); w > 0 {
		t.Errorf("%d of %d products are wrong", w, schedulerGoroutines*schedulerProducts)
	}
}

// disturb sends signals, collects garbage and starts processes until stop is called.
func disturb(t *testing.T) (stop func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	var done atomic.Bool
	var wg sync.WaitGroup
	loop := func(f func()) {
		wg.Go(func() {
			for !done.Load() {
				f()
			}
		})
	}
	loop(func() {
		if err := syscall.Kill(os.Getpid(), syscall.SIGUSR1); err != nil {
			t.Error(err)
		}
		runtime.Gosched()
	})
	loop(runtime.GC)
	loop(func() {
		if out, err := exec.Command(os.Args[0], "-test.run=^$").CombinedOutput(); err != nil {
			t.Errorf("start a process: %v\n%s", err, out)
		}
	})
	return func() {
		done.Store(true)
		wg.Wait()
		signal.Stop(signals)
	}
}
