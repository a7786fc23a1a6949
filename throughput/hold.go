package throughput

import "outcrop.dev/outcrop"

// holding is what a throughput keeps loaded.
type holding struct {
	id         outcrop.ModelID
	unloadable bool // nothing: its model could not be loaded in advance
}

// holds returns what a throughput keeps loaded; ok is false if nobody has tried yet.
func (r *Reconciler) holds(arn outcrop.ARN) (h holding, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h, ok = r.held[arn]
	return h, ok
}

// hold notes that a throughput keeps a model loaded, by a Load of its own, and no longer what it
// did before.
func (r *Reconciler) hold(arn outcrop.ARN, h holding) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before, ok := r.held[arn]
	r.held[arn] = h
	if ok {
		r.unload(before)
	}
}

// release notes that a throughput keeps nothing loaded.
func (r *Reconciler) release(arn outcrop.ARN) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before, ok := r.held[arn]
	delete(r.held, arn)
	if ok {
		r.unload(before)
	}
}

// releaseMissing releases what throughput held that is not among all any more.
func (r *Reconciler) releaseMissing(all []*outcrop.Throughput) {
	live := map[outcrop.ARN]bool{}
	for _, t := range all {
		live[t.ARN] = true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for arn, h := range r.held {
		if !live[arn] && !r.working[arn] {
			delete(r.held, arn)
			r.unload(h)
		}
	}
}

// unload takes back the one Load for which a throughput held a model. The engine counts them: a model
// leaves with the last of those that serve it. r.mu is held.
func (r *Reconciler) unload(h holding) {
	if !h.unloadable {
		r.engine.Unload(h.id)
	}
}
