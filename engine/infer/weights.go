package infer

import (
	"cmp"
	"runtime/debug"
	"sync"

	"github.com/dustin/go-humanize"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/model"
)

// weights counts what the models in memory take. Engine.mu holds it. counted never exceeds most, if that
// is set: room is taken before a byte is read, and is given back only when the memory is (takeOff),
// not when a model is told to go. In between, makeRoom waits.
type weights struct {
	most    int64     // Options.WeightBytes
	counted int64     // of all models that are in memory, come there, or leave it
	leaving int       // models and adapters that evict has had when they were loaded, and that are not gone yet
	left    sync.Cond // on Engine.mu: one of these is gone
}

// reserve makes room for the weights of r: models that nobody uses leave, the one that was used
// longest ago first. CodeModelError if r can never fit, CodeModelNotReady if it
// cannot while others are used.
func (e *Engine) reserve(r *resident) error {
	config, err := model.ReadConfig(r.files.Dir)
	if err != nil {
		return err
	}
	need := int64(config.ServingBytes(e.opt.Exec))
	waited, err := e.makeRoom(r, need)
	if waited {
		debug.FreeOSMemory() // the weights of what has left are gone; its tokenizer, keys and values are garbage
	}
	return err
}

// makeRoom waits until there is room and takes it. Nothing leaves where it would not be enough: a
// request that cannot be served must not cost others their model. It looks at everything anew after
// each wait, because e.mu was free meanwhile.
func (e *Engine) makeRoom(r *resident, need int64) (waited bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	w := &e.weights
	if w.most > 0 && need > w.most {
		return false, tooLarge(need, w.most)
	}
	for w.most > 0 && w.counted+need > w.most {
		if w.leaving > 0 {
			// What leaves may be enough already. To evict more before that is known would empty the
			// memory for one small model.
			w.left.Wait()
			waited = true
			continue
		}
		idle, bytes := e.leastRecent()
		if w.counted-bytes+need > w.most {
			return waited, noRoom(need, w.most-w.counted, w.most)
		}
		// Evicting adapters frees nothing by itself. It makes them leave their base, which is idle
		// in the next round.
		for _, r := range idle {
			e.evict(r)
		}
	}
	w.counted += need
	r.bytes = need
	return waited, nil
}

// leastRecent returns what is to leave next, and the bytes of all that could leave. A model can leave
// if nobody uses it but adapters that nobody uses. Of such models the one goes that was used longest
// ago, its adapters before itself. A use of an adapter is a use of its base. e.mu is held.
func (e *Engine) leastRecent() (least []*resident, bytes int64) {
	type group struct {
		adapters []*resident
		last     int
	}
	// Adapters keep their base in use, so that the counts alone would say that nothing can leave. A
	// base and its adapters are weighed together.
	groups := map[*resident]group{}
	for _, r := range e.models {
		if !r.loaded() || r.pins > 0 || r.gone {
			continue
		}
		whole := cmp.Or(r.base, r)
		g := groups[whole]
		if g.last = max(g.last, r.last); r.base != nil && r.users == 0 {
			g.adapters = append(g.adapters, r)
		}
		groups[whole] = g
	}
	first := 0
	for r, g := range groups {
		// Each idle adapter is one use of its base. One use more is a request, an adapter in use, a
		// pinned one, or one that is being loaded.
		if r.pins > 0 || r.users > len(g.adapters) {
			continue
		}
		bytes += r.bytes
		if least == nil || g.last < first {
			least, first = g.adapters, g.last
			if len(least) == 0 {
				least = []*resident{r}
			}
		}
	}
	return least, bytes
}

// loaded reports whether load has ended.
func (r *resident) loaded() bool {
	select {
	case <-r.ready:
		return true
	default:
		return false
	}
}

// leave notes that evict has had r, and reports whether room is made when it is gone. One that is
// still being loaded is not waited for: it may be adapters, whose base waits for room itself.
func (w *weights) leave(r *resident) (awaited bool) {
	if awaited = r.loaded(); awaited {
		w.leaving++
	}
	return awaited
}

// takeOff takes the weights of r, which evict has had, off again; awaited is what leave returned.
func (e *Engine) takeOff(r *resident, awaited bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.weights.counted -= r.bytes
	if awaited {
		e.weights.leaving--
		e.weights.left.Broadcast()
	}
}

func tooLarge(need, most int64) error {
	return outcrop.Errorf(outcrop.CodeModelError, "The model needs %s of memory for its weights, and all models together may have %s (outcrop serve --model-memory). Start the server with more, or use a smaller model.",
		humanize.IBytes(uint64(need)), humanize.IBytes(uint64(most)))
}

func noRoom(need, left, most int64) error {
	return outcrop.Errorf(outcrop.CodeModelNotReady, "The model needs %s of memory for its weights, and of the %s that all models may have (outcrop serve --model-memory) %s are left: the others are being used, or provisioned throughput holds them. Try again later, or delete provisioned throughput.",
		humanize.IBytes(uint64(need)), humanize.IBytes(uint64(most)), humanize.IBytes(uint64(max(left, 0))))
}
