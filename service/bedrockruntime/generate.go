package bedrockruntime

import (
	"context"
	"time"

	"outcrop.dev/outcrop"
)

// generation is what one request produced, and how long that took.
type generation struct {
	outcrop.GenerateResult
	latency   time.Duration // from the request's arrival at the gate to the last token
	firstByte time.Duration // until the first text
}

// generate runs req on t once t is ready and has capacity, and records the usage. emit gets
// the text piece by piece; it may be nil. Errors are those of await, gates.enter and
// outcrop.Engine.
func (s *Service) generate(ctx context.Context, operation string, t outcrop.Target, req outcrop.GenerateRequest, emit func(string) error) (generation, error) {
	if err := s.await(ctx, t); err != nil {
		return generation{}, err
	}
	start := s.opt.Now()
	leave, err := s.gates.enter(ctx, t.Resource, t.Units)
	if err != nil {
		return generation{}, err
	}
	defer leave()
	var g generation
	req.Model, req.Tenant = t.Files, t.Scope.Account+"/"+t.Scope.Region
	g.GenerateResult, err = s.engine.Generate(ctx, req, func(text string) error {
		if g.firstByte == 0 {
			g.firstByte = s.opt.Now().Sub(start)
		}
		if emit == nil {
			return nil
		}
		return emit(text)
	})
	g.latency = s.opt.Now().Sub(start)
	if err == nil || g.OutputTokens > 0 { // who hangs up has still used what was generated
		s.meter.Record(context.WithoutCancel(ctx), outcrop.Usage{
			At: start, Scope: t.Scope, Resource: t.Resource, Operation: operation,
			InputTokens: int64(g.InputTokens), ReusedTokens: int64(g.ReusedTokens), OutputTokens: int64(g.OutputTokens), Latency: g.latency,
		})
	}
	return g, err
}

// metrics returns what ends a stream.
func (g generation) metrics() invocationMetrics {
	return invocationMetrics{
		InputTokenCount: g.InputTokens, OutputTokenCount: g.OutputTokens,
		InvocationLatency: g.latency.Milliseconds(), FirstByteLatency: g.firstByte.Milliseconds(),
	}
}
