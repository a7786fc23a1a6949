package infer

import (
	"context"
	"strings"

	"outcrop.dev/outcrop"
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
	prompt, err := r.render(req.Messages)
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
	leave, err := e.admit(ctx, r, len(prompt)+limit)
	if err != nil {
		return res, err
	}
	defer leave()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	q, err := e.begin(ctx, r, req, prompt, limit)
	if err != nil {
		return res, err
	}
	return res, follow(q, &res, emit, cancel)
}

// admit waits for a place in the batch and for the memory of a cache of so many tokens;
// leave gives them back.
func (e *Engine) admit(ctx context.Context, r *resident, tokens int) (leave func(), err error) {
	bytes := int64(r.serving.SessionBytes(tokens))
	if bytes > e.opt.CacheBytes {
		return nil, outcrop.Errorf(outcrop.CodeValidation,
			"Prompt and answer of %d tokens need %d MiB of cache; this server has %d MiB. Shorten the prompt, or ask for fewer tokens.",
			tokens, bytes>>20, e.opt.CacheBytes>>20)
	}
	select {
	case r.waiting <- struct{}{}:
	default:
		return nil, outcrop.Errorf(outcrop.CodeThrottling,
			"Too many requests, please wait before retrying: the model answers %d at once and %d more are waiting.", e.opt.Sequences, e.opt.Waiting)
	}
	if err := r.places.Acquire(ctx, 1); err != nil {
		<-r.waiting
		return nil, err
	}
	if err := e.cache.Acquire(ctx, bytes); err != nil {
		r.places.Release(1)
		<-r.waiting
		return nil, err
	}
	return func() {
		e.cache.Release(bytes)
		r.places.Release(1)
		<-r.waiting
	}, nil
}

// begin hands a request to the scheduler.
func (e *Engine) begin(ctx context.Context, r *resident, req outcrop.GenerateRequest, prompt []int32, limit int) (*sequence, error) {
	session, err := r.newSession(len(prompt) + limit)
	if err != nil {
		return nil, err
	}
	q := &sequence{
		ctx: ctx, ends: r.ends, limit: limit, session: session, next: prompt,
		sampler: sampler{temperature: req.Temperature, topP: req.TopP, topK: req.TopK},
		decode:  r.tokenizer.NewDecoder(), text: newText(req.Stop),
		out: outbox{wake: make(chan struct{}, 1)},
	}
	if req.Seed != nil {
		q.sampler.seed = *req.Seed
	} else {
		q.sampler.seed = e.opt.Seed()
	}
	r.scheduler.submit(q)
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
		res.Text, res.OutputTokens, res.StopReason = whole.String(), ended.tokens, ended.reason
		if failed != nil {
			return failed
		}
		return ended.err
	}
}
