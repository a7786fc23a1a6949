// Package bedrockruntime is the Bedrock Runtime API: InvokeModel and Converse, whole and as
// event streams, and CountTokens. Each operation has a file, named as boto3 names the method;
// what Outcrop does not have answers an error that says so.
//
// A request goes the same way whatever its operation:
//
//	modelId ─→ Models: a base model on demand, or a throughput's model
//	body    ─→ dialect (InvokeModel) or conversation (Converse) ─→ outcrop.GenerateRequest
//	        ─→ Invoker (package invoke) ─→ answer
//
// A format of bodies is one file, dialect_NAME.go. The service knows models by their directory
// alone, and neither engine nor store beyond the interfaces of package outcrop.
package bedrockruntime

import (
	"context"

	"outcrop.dev/outcrop"
)

// Invoker is the way to the engine (package invoke).
type Invoker interface {
	// Generate waits until t is ready and has capacity, runs req on it, and records the usage as
	// that of operation. emit, which may be nil, gets the text piece by piece.
	Generate(ctx context.Context, operation string, t outcrop.Target, req outcrop.GenerateRequest, emit func(text string) error) (outcrop.Generation, error)
	// CountTokens returns how many tokens the messages are to t's model.
	CountTokens(ctx context.Context, t outcrop.Target, messages []outcrop.Message) (int, error)
}

// Service answers Bedrock Runtime's operations. Register makes it reachable.
type Service struct {
	Unimplemented
	models  Models
	invoker Invoker
}

// New returns the service over the rooms that it needs.
func New(models Models, invoker Invoker) *Service {
	return &Service{models: models, invoker: invoker}
}

var _ Operations = (*Service)(nil)
