package outcrop

import (
	"context"
	"time"
)

// Usage is one metered event. Quantities that do not apply are 0.
type Usage struct {
	At             time.Time
	Scope          Scope
	Resource       ARN // what was used: a throughput, a model, a job
	Operation      string
	InputTokens    int64
	ReusedTokens   int64 // of InputTokens, those that the model need not read again; for metrics alone
	OutputTokens   int64
	TrainingTokens int64
	Latency        time.Duration
	// Once says that the resource has no other event of this operation in the hour of At, so
	// that one which is recorded again is the same and is not counted again.
	Once bool
}

// Meter records usage. It never fails a request: what it cannot write it logs.
type Meter interface {
	Record(ctx context.Context, u Usage)
}
