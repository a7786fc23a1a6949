package throughput

import "outcrop.dev/outcrop"

// holds returns the directory that a throughput keeps loaded, "" if none.
func (r *Reconciler) holds(arn outcrop.ARN) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.held[arn]
}

// hold notes that a throughput keeps dir loaded, by a Load of its own, and no longer what it did
// before.
func (r *Reconciler) hold(arn outcrop.ARN, dir string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.held[arn]
	r.held[arn] = dir
	r.unload(before)
}

// release notes that a throughput keeps nothing loaded.
func (r *Reconciler) release(arn outcrop.ARN) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.held[arn]
	delete(r.held, arn)
	r.unload(before)
}

// releaseMissing releases what throughput held that is not among all any more.
func (r *Reconciler) releaseMissing(all []*outcrop.Throughput) {
	live := map[outcrop.ARN]bool{}
	for _, t := range all {
		live[t.ARN] = true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for arn, dir := range r.held {
		if !live[arn] && !r.working[arn] {
			delete(r.held, arn)
			r.unload(dir)
		}
	}
}

// unload takes back the one Load for which a throughput held dir. The engine counts them: a model
// leaves with the last of those that serve it. r.mu is held.
func (r *Reconciler) unload(dir string) {
	if dir != "" && dir != unloadable {
		r.engine.Unload(dir)
	}
}
