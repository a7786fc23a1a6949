package infer

import (
	"context"
	"strings"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/internal/pause"
)

// Generate writes the completion piece by piece, valid UTF-8 each, to emit, which may be
// nil, and returns the whole. It stops within one token when ctx ends or emit fails, and
// returns that error with the result so far.
//
// CodeValidation if the prompt does not fit the model or its cache cannot be had at all,
// CodeThrottling if too many requests are waiting, CodeModelError if the model cannot be
// loaded or computes no numbers.
func (e *Engine) Generate(ctx context.Context, req outcrop.GenerateRequest, emit func(text string) error) (outcrop.GenerateResult, error) {
	r, err := e.acquire(ctx, req.Model)
	if err != nil {
		return outcrop.GenerateResult{}, err
	}
	defer e.release(r)
	prompt, err := r.render(ctx, req.Messages)
	if err != nil {
		return outcrop.GenerateResult{}, err
	}
	room := r.serving.Context - len(prompt)
	if room <= 0 {
		return outcrop.GenerateResult{}, outcrop.Errorf(outcrop.CodeValidation,
			"Too many input tokens. Max input tokens: %d, request input token count: %d. Shorten the prompt: prompt and answer share a context of %d tokens.",
			r.serving.Context-1, len(prompt), r.serving.Context)
	}
	res := outcrop.GenerateResult{StopReason: outcrop.StopLength, InputTokens: len(prompt)}
	limit := min(req.MaxTokens, room)
	if limit <= 0 {
		return res, nil
	}
	l := &lease{owner: owner{req.Tenant, r}, prompt: prompt, tokens: len(prompt) + limit}
	if err := e.admit(ctx, r, l); err != nil {
		return res, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	q, err := e.begin(ctx, r, req, l)
	if err != nil {
		e.leave(r, l, nil, nil)
		return res, err
	}
	res.ReusedTokens = q.session.Len()
	r.scheduler.submit(q)
	err = follow(q, &res, emit, cancel)
	e.leave(r, l, q.session, q.read())
	return res, err
}

// admit waits for a place in the batch and for the memory of l; leave gives them back.
func (e *Engine) admit(ctx context.Context, r *resident, l *lease) error {
	l.bytes = int64(r.serving.SessionBytes(l.tokens))
	if l.bytes > e.opt.CacheBytes {
		return outcrop.Errorf(outcrop.CodeValidation,
			"Prompt and answer of %d tokens need %d MiB of cache; this server has %d MiB (outcrop serve --cache-memory). Shorten the prompt, or ask for fewer tokens.",
			l.tokens, l.bytes>>20, e.opt.CacheBytes>>20)
	}
	select {
	case r.waiting <- struct{}{}:
	default:
		return outcrop.Errorf(outcrop.CodeThrottling,
			"Too many requests, please wait before retrying: the model answers %d at once and %d more are waiting.", e.opt.Sequences, e.opt.Waiting)
	}
	if err := r.places.Acquire(ctx, 1); err != nil {
		<-r.waiting
		return err
	}
	if err := e.cache.acquire(ctx, l); err != nil {
		r.places.Release(1)
		<-r.waiting
		return err
	}
	return nil
}

// leave gives back what admit has taken, and keeps what session has read for the tenant.
func (e *Engine) leave(r *resident, l *lease, session *model.Session, read []int32) {
	e.cache.release(l, session, read)
	r.places.Release(1)
	<-r.waiting
}

// begin makes the sequence of a request that has been admitted.
func (e *Engine) begin(ctx context.Context, r *resident, req outcrop.GenerateRequest, l *lease) (*sequence, error) {
	q := &sequence{
		ctx: ctx, ends: r.ends, limit: l.tokens - len(l.prompt), session: l.session, ids: l.prompt,
		sampler: sampler{temperature: req.Temperature, topP: req.TopP, topK: req.TopK},
		decode:  r.tokenizer.NewDecoder(), text: newText(req.Stop),
		likeliest: likeliest{count: min(req.Logprobs, outcrop.LogprobsMax), bytes: r.tokenizer.Token},
		out:       outbox{wake: pause.NewBell()},
	}
	if q.session == nil {
		var err error
		if q.session, err = r.newSession(l.tokens); err != nil {
			return nil, err
		}
	}
	if req.Seed != nil {
		q.sampler.seed = *req.Seed
	} else {
		q.sampler.seed = e.opt.Seed()
	}
	return q, nil
}

// follow passes the text of q on until it ends, and fills in the result. When emit fails it
// cancels the sequence, but always waits for its end: until then the scheduler uses it.
func follow(q *sequence, res *outcrop.GenerateResult, emit func(string) error, cancel func()) error {
	var whole strings.Builder
	var failed error
	for {
		piece, ended := q.out.take()
		whole.WriteString(piece)
		if emit != nil && piece != "" && failed == nil {
			if failed = emit(piece); failed != nil {
				cancel()
			}
		}
		if ended == nil {
			continue
		}
		res.Text, res.OutputTokens, res.StopReason, res.Logprobs = whole.String(), ended.tokens, ended.reason, q.logprobs
		if failed != nil {
			return failed
		}
		return ended.err
	}
}
