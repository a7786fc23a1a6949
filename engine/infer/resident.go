package infer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"golang.org/x/sync/semaphore"
	"golang.org/x/sys/unix"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/format/chattemplate"
	"outcrop.dev/outcrop/format/tokenizer"
)

// countedContexts is how many times the model's context a prompt is counted to, so that a person
// is told by how much it is too long; megabytes are not encoded to refuse them.
const countedContexts = 4

// resident is a model in memory, or on its way there. The counts belong to Engine.mu; what
// load sets does not change after ready.
//
// It is a state machine, whose steps are in this file, in infer.go (Load, Unload, Close) and in
// weights.go (who leaves for want of memory). Every step is taken under Engine.mu:
//
//	 enter          load has ended           the last user and pin have gone
//	──────→ loading ───────────────→ in use ─────────────────────────────────→ idle
//	           │                      ↑  │                                     │  │
//	           │ load has failed      │  │ the same, and unload is set   enter │  │ expire, makeRoom,
//	           ↓                      └──┼─────────────────────────────────────┘  │ Close, replaced
//	         failed ──────────────────→  ↓  ←─────────────────────────────────────┘
//	           the last user      leaving (gone) ──→ freed, in evict's goroutine
//
//	loading  ready is open         in use  users > 0 or pins > 0
//	failed   err is not nil        idle    idle is a running timer
//
// What always holds under Engine.mu:
//   - A resident is in Engine.models until it leaves, or until its id means another model: then
//     the old one serves its requests on, without a name, beside the new one.
//   - Only enter adds users, and finds residents in Engine.models alone. So gone is set once, with no
//     user and no pin, and nobody comes after it.
//   - Adapters are one user of their base from attach until they are freed. So a base is idle only
//     after its adapters have gone, and settle need not know that there are any.
//   - A model may be told to leave while it is being loaded, when everybody has given up waiting. The
//     load is not interrupted: evict's goroutine waits for its end and frees what it has made.
//
// Nobody waits for anything under Engine.mu but makeRoom, by its condition variable. memory.mu may be
// taken under Engine.mu, never the other way round.
type resident struct {
	files outcrop.ModelFiles
	dir   os.FileInfo   // of files.Dir when load began; nil if there was none
	ready chan struct{} // closed when load has ended
	err   error         // why it could not be loaded

	// base is the model that adapters belong to, which they keep in memory and share all of but
	// the sessions; nil for a whole model.
	base    *resident
	adapter *model.Adapter
	digest  *weightsDigest

	serving   *model.Serving
	tokenizer *tokenizer.Tokenizer
	template  *chattemplate.Template
	scheduler *scheduler
	places    *semaphore.Weighted // Options.Sequences
	waiting   chan struct{}       // a slot for each request that has or awaits a place

	bytes  int64       // of weights, counted in Engine.weights; of adapters, which are small, none
	users  int         // requests under way
	last   int         // use of the engine that was this one's last
	pins   int         // Loads that no Unload took back
	unload bool        // leave without delay when the last user and pin have gone
	gone   bool        // evict has had it
	idle   func() bool // stops the timer that would unload the model; nil if there is none
}

// acquire returns a model, loaded, for use until release. Requests that arrive
// while it is being loaded wait for the one load. CodeModelError if it cannot be loaded, and
// the next request tries again.
func (e *Engine) acquire(ctx context.Context, m outcrop.ModelFiles) (*resident, error) {
	r, err := e.enter(m)
	if err != nil {
		return nil, err
	}
	select {
	case <-r.ready:
	case <-ctx.Done():
		e.release(r)
		return nil, ctx.Err()
	}
	if r.err != nil {
		e.release(r)
		return nil, r.err
	}
	return r, nil
}

// enter counts a user of a model, and begins to load it if it is not there. The user is counted in
// the same step: between the two the model could leave.
func (e *Engine) enter(m outcrop.ModelFiles) (*resident, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, errClosed()
	}
	dir, err := os.Stat(m.Dir) // before load reads it: what changes later is then seen as a change
	if err != nil {
		dir = nil // whoever reads it says why
	}
	r := e.models[m.ID]
	if r == nil || r.replacedBy(m, dir) {
		r = e.loading(m, dir, r)
		go e.load(r) // not this request's work: it may give up, and others wait for the same load
	}
	r.users++
	// Uses are counted rather than timed: there is no clock here, and no two are equal.
	e.uses++
	r.last = e.uses
	if r.idle != nil {
		r.idle()
		r.idle = nil
	}
	return r, nil
}

// loading makes the place for a model that is about to be loaded: that of old, which may be nil. old
// ends the requests that it has. The Loads that held it hold the new one, so that their Unloads find
// it. e.mu is held.
func (e *Engine) loading(m outcrop.ModelFiles, dir os.FileInfo, old *resident) *resident {
	r := &resident{files: m, dir: dir, ready: make(chan struct{})}
	e.models[m.ID] = r
	e.gone.Add(1)
	if old != nil {
		r.pins, old.pins, old.unload = old.pins, 0, true
		e.settle(old)
	}
	return r
}

// replacedBy reports whether the id of r means another model now: it was removed, and another was
// added under its id. What is only removed is served on. So is what a Load holds, as long as it is
// found where it was: its directory changes with every file that is written beside the weights.
func (r *resident) replacedBy(m outcrop.ModelFiles, dir os.FileInfo) bool {
	if r.dir == nil || dir == nil || os.SameFile(r.dir, dir) && r.dir.ModTime().Equal(dir.ModTime()) {
		return false
	}
	return r.pins == 0 || r.files.Dir != m.Dir
}

// release ends a use.
func (e *Engine) release(r *resident) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r.users--
	e.settle(r)
}

// settle lets a model go that nobody uses: at once if it was unloaded or is broken, else
// after Options.Keep. Whoever lowers users or pins, sets unload or ends a load calls it. It may be
// called too often, never too seldom. e.mu is held.
func (e *Engine) settle(r *resident) {
	switch {
	case r.users > 0 || r.pins > 0 || r.gone:
	case r.unload || r.err != nil:
		e.evict(r)
	case r.idle == nil: // else the timer of the last use runs, which counts
		last := r.last
		r.idle = e.opt.AfterFunc(e.opt.Keep, func() { e.expire(r, last) })
	}
}

// expire is called when a model has been idle for Options.Keep since the use last. A timer that is
// stopped may have fired already and wait for e.mu: then last tells that the model has been used since.
func (e *Engine) expire(r *resident, last int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if r.last == last && r.pins == 0 && !r.gone {
		e.evict(r)
	}
}

// evict forgets a model, so that the next request loads it anew, and frees it. That is done aside: it waits
// for the scheduler to end and for files to close. e.mu is held.
func (e *Engine) evict(r *resident) {
	if r.idle != nil {
		r.idle()
	}
	if r.gone = true; e.models[r.files.ID] == r {
		delete(e.models, r.files.ID)
	}
	e.cache.forget(r) // what was kept of its requests points into its memory
	awaited := e.weights.leave(r)
	go func() {
		defer e.gone.Done()
		switch <-r.ready; {
		case r.base != nil: // also after an error: serving and scheduler are the base's, if there are any
			e.release(r.base)
		case r.scheduler != nil: // it was loaded
			r.scheduler.close()
			r.serving.Close() // an error would say that it was closed before
		}
		e.takeOff(r, awaited)
	}()
}

// load reads the model and its tokenizer, and says so.
func (e *Engine) load(r *resident) {
	var err error
	if e.opt.Check != nil {
		err = e.opt.Check(r.files.Dir)
	}
	if err != nil {
		// It is told below.
	} else if r.files.BaseDir == "" {
		if err = e.reserve(r); err == nil {
			err = r.read(e.opt)
		}
	} else {
		err = e.attach(r)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil {
		r.err, r.pins = cannotLoad(err), 0
	}
	// Closing ready publishes all that load has set. It is done under e.mu so that loaded, users and
	// err are seen together.
	close(r.ready)
	e.settle(r) // everybody may have given up waiting
}

// cannotLoad tells a person why a model cannot be loaded. What is said of a base model already is
// said of its adapters as it is: it is not them that need to be mended.
func cannotLoad(err error) error {
	if said := (*outcrop.Error)(nil); errors.As(err, &said) {
		return said
	}
	if errors.Is(err, unix.ENOMEM) {
		return &outcrop.Error{
			Code: outcrop.CodeModelNotReady, Err: err,
			Msg: "There is no memory for the model: the system refuses it. Try again later, end what else takes memory, or start the server with a smaller --model-memory.",
		}
	}
	return &outcrop.Error{
		Code: outcrop.CodeModelError, Err: err,
		Msg: fmt.Sprintf("The model cannot be loaded: %v. Restore its directory, or delete the model and train it again.", err),
	}
}

// read loads a whole model.
func (r *resident) read(opt Options) error {
	serving, err := model.LoadServing(r.files.Dir, opt.Exec)
	if err != nil {
		return err
	}
	if err := r.readTexts(serving); err != nil {
		return errors.Join(err, serving.Close())
	}
	r.serving = serving
	r.digest = &weightsDigest{dir: r.files.Dir}
	r.places = semaphore.NewWeighted(int64(opt.Sequences))
	r.waiting = make(chan struct{}, opt.Sequences+opt.Waiting)
	r.scheduler = newScheduler(serving, opt.Exec)
	return nil
}

// readTexts loads what turns texts into the tokens of a model and back.
func (r *resident) readTexts(serving *model.Serving) (err error) {
	dir := r.files.Dir
	r.tokenizer, err = tokenizer.Load(filepath.Join(dir, tokenizer.File))
	if err != nil {
		return err
	}
	if have, want := serving.Vocab, r.tokenizer.Reach(); have < want {
		return fmt.Errorf("%s: the tokenizer makes %d ids of text, and the model has %d", dir, want, have)
	}
	r.template, err = chattemplate.Load(dir, r.tokenizer.Limit(countedContexts*serving.Context))
	return err
}

// attach loads adapters beside the model that they belong to. That one stays in memory as long
// as they do; it reads their texts and runs their requests together with its own.
func (e *Engine) attach(r *resident) error {
	belongs, err := model.ReadBase(r.files.Dir)
	if err != nil {
		return err
	}
	// No request's context: the adapters are loaded for all who wait. No lock is held, so the base
	// may in turn wait for room, even for that of other adapters.
	base, err := e.acquire(context.Background(), outcrop.ModelFiles{ID: r.files.BaseID, Dir: r.files.BaseDir})
	if err != nil {
		return err
	}
	r.base = base // which evict releases, also after an error
	// Adapters can be laid over any model of the same shapes, and make nonsense of all but their own.
	digest, err := base.digest.get()
	if err != nil {
		return err
	}
	if err := belongs.Fits(digest); err != nil {
		return err
	}
	r.serving, r.tokenizer, r.template = base.serving, base.tokenizer, base.template
	r.places, r.waiting, r.scheduler = base.places, base.waiting, base.scheduler
	r.adapter, err = base.serving.LoadAdapter(r.files.Dir)
	return err
}

// weightsDigest is model.WeightsDigest of dir, computed when it is first asked for, and again
// after an error: files that were missing may have been restored.
type weightsDigest struct {
	dir string

	mu  sync.Mutex
	sum string
}

func (d *weightsDigest) get() (sum string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sum == "" {
		d.sum, err = model.WeightsDigest(d.dir)
	}
	return d.sum, err
}

// newSession returns an empty session of so many tokens, which carries the adapters if r is some.
func (r *resident) newSession(tokens int) (*model.Session, error) {
	if r.adapter != nil {
		return r.adapter.NewSession(tokens)
	}
	return r.serving.NewSession(tokens)
}

// render returns the prompt as the model reads it. CodeValidation for messages in an order
// that the template does not know, or a prompt without room for an answer.
func (r *resident) render(ctx context.Context, messages []outcrop.Message) ([]int32, error) {
	ids, err := r.template.Prompt(ctx, messages)
	if errors.Is(err, tokenizer.ErrTooLong) {
		return nil, outcrop.Errorf(outcrop.CodeValidation,
			"Too many input tokens. Max input tokens: %d, request input token count: more than %d. Shorten the prompt.", r.serving.Context-1, countedContexts*r.serving.Context)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, &outcrop.Error{Code: outcrop.CodeValidation, Msg: "The prompt cannot be rendered: " + err.Error() + ".", Err: err}
	}
	return ids, nil
}

// ends reports whether a token ends the text.
func (r *resident) ends(id int32) bool {
	return id == r.template.EndOfText() || slices.Contains(r.serving.EOS, int(id))
}
