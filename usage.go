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
	OutputTokens   int64
	TrainingTokens int64
	Latency        time.Duration
}

// Meter records usage. It never fails a request: what it cannot write it logs.
type Meter interface {
	Record(ctx context.Context, u Usage)
}
