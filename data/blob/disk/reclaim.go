package disk

import (
	"context"
	"os"
	"strings"
	"sync"
	"time"

	"outcrop.dev/outcrop/internal/pause"
)

// pins counts the readers of each file. A lookup holds mu for reading from the row to the
// pin, and the reclaimer holds it for writing while it decides, so that no reader can find a
// row and then not the file.
type pins struct {
	mu    sync.RWMutex
	state sync.Mutex
	count map[string]int
}

func (p *pins) add(segments []segment) {
	p.state.Lock()
	defer p.state.Unlock()
	for _, g := range segments {
		p.count[g.file]++
	}
}

// drop releases the files and returns those that nobody reads any more.
func (p *pins) drop(segments []segment) (idle []string) {
	p.state.Lock()
	defer p.state.Unlock()
	for _, g := range segments {
		p.count[g.file]--
		if p.count[g.file] == 0 {
			delete(p.count, g.file)
			idle = append(idle, g.file)
		}
	}
	return idle
}

func (p *pins) pinned(file string) bool {
	p.state.Lock()
	defer p.state.Unlock()
	return p.count[file] > 0
}

// reclaimBatch is how many files are decided on while lookups wait.
const reclaimBatch = 64

// reclaimer removes files that no segment names any more and nobody reads. What it finds when
// the store is opened may never have been named by this index, and goes to lost+found instead.
type reclaimer struct {
	s    *Store
	wake pause.Bell
	quit context.CancelFunc
	done chan struct{}

	old []string // found on opening; only run uses it

	mu    sync.Mutex
	queue []string
}

func startReclaimer(s *Store, old []string) *reclaimer {
	ctx, quit := context.WithCancel(context.Background())
	r := &reclaimer{s: s, wake: pause.NewBell(), quit: quit, done: make(chan struct{}), old: old}
	go r.run(ctx)
	return r
}

// add asks for files to be looked at; those still in use are left alone.
func (r *reclaimer) add(files ...string) {
	if len(files) == 0 {
		return
	}
	r.putBack(files)
	r.wake.Ring()
}

// putBack is add for what need not be looked at now.
func (r *reclaimer) putBack(files []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.queue = append(r.queue, files...)
}

func (r *reclaimer) stop() {
	r.quit()
	<-r.done
}

// run works off what was found on opening, then the queue. What is left at the end, the next
// opening finds.
func (r *reclaimer) run(ctx context.Context) {
	defer close(r.done)
	for len(r.old) > 0 && ctx.Err() == nil {
		n := min(reclaimBatch, len(r.old))
		r.keep(r.old[:n])
		r.old = r.old[n:]
	}
	pause.Loop(ctx, r.wake, func(context.Context) time.Duration {
		batch := r.take()
		if len(batch) == 0 {
			return pause.UntilRung
		}
		if r.s.unlessHeld(func() { r.reclaim(batch) }) {
			r.putBack(batch)
			return holdRetry
		}
		return 0
	})
}

func (r *reclaimer) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := min(reclaimBatch, len(r.queue))
	batch := r.queue[:n:n]
	if r.queue = r.queue[n:]; len(r.queue) == 0 {
		r.queue = nil
	}
	return batch
}

// keep moves those of the files that nothing names to lost+found. Nobody can begin to read them,
// and nobody can name them: a file is named by whoever wrote it, in this process.
func (r *reclaimer) keep(batch []string) {
	var paths []string
	for _, file := range r.unused(batch) {
		if path := r.s.path(file); exists(path) { // not one that has been deleted since
			paths = append(paths, path)
		}
	}
	if err := r.s.lost.Keep(paths...); err != nil {
		r.s.opt.Log.Error("move files that nothing names; the next start will try again", "error", err)
	}
}

// expireLost deletes what has been in lost+found for long enough.
func (s *Store) expireLost() {
	if err := s.lost.Expire(); err != nil {
		s.opt.Log.Error("tidy up lost+found", "error", err)
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// reclaim removes those of the files that nothing names, and notes, whose rows are gone for good:
// no id is used twice.
func (r *reclaimer) reclaim(batch []string) {
	for _, file := range batch {
		if name, ok := strings.CutPrefix(file, noteOf); ok {
			if err := os.Remove(r.s.notePath(name)); err != nil && !os.IsNotExist(err) {
				r.s.opt.Log.Error("remove the note of what was deleted", "note", name, "error", err)
			}
		}
	}
	for _, file := range r.unused(batch) {
		r.s.forgetDamage(file)
		for _, path := range []string{r.s.path(file), r.s.sumsPath(file)} {
			if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
				r.s.opt.Log.Error("remove an unused content file; the next start will try again", "file", path, "error", err)
			}
		}
	}
	_ = r.s.db.Room.Check() // there is room again, perhaps: who writes next is told if there is not
}

// unused returns the files of the batch that may go. A file that is read will be offered
// again when its last reader closes it.
func (r *reclaimer) unused(batch []string) []string {
	r.s.pins.mu.Lock()
	defer r.s.pins.mu.Unlock()
	var gone []string
	for _, file := range batch {
		if len(file) < 2 || strings.HasPrefix(file, noteOf) || r.s.pins.pinned(file) {
			continue
		}
		used, err := r.s.used(context.Background(), file)
		if err != nil {
			r.s.opt.Log.Error("look for the users of a content file; the next start will try again", "file", file, "error", err)
			continue
		}
		if !used {
			gone = append(gone, file)
		}
	}
	return gone
}
