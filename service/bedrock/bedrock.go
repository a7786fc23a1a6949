// Package bedrock is the Bedrock control plane: foundation models, model customization jobs,
// custom models, provisioned throughput and tags.
//
// There is one file for each operation, named as boto3 names the method. Defining the
// operation's method on Service is all that registers it: api_gen.go has the shapes, the
// checks and the routes, and answers for the operations that have no method.
//
// The package writes rows and reads them; it trains nothing and serves nothing. Creating a
// job or throughput leaves a row in its first state, which rooms that Service does not know
// carry on.
package bedrock

//go:generate go run outcrop.dev/outcrop/internal/awsgen bedrock

import (
	"context"
	"log/slog"
	"time"

	"outcrop.dev/outcrop"
)

// Catalog knows the foundation models.
type Catalog interface {
	// List returns all models, always in the same order.
	List() []outcrop.FoundationModel
}

// Planner reads all of a job's data as the job itself will, and settles how it trains.
type Planner interface {
	// PlanJob returns the job's Train with what was left open chosen. Of bad data the error is a
	// CodeValidation, which names the first mistakes and counts all, and the report has all of them,
	// as JSON. There is no report with any other error: the data could not be read, or training on
	// them does not fit into this machine, which is a CodeValidation too.
	PlanJob(ctx context.Context, job *outcrop.Job, base outcrop.ModelFiles, objects outcrop.Objects) (train outcrop.TrainSpec, report []byte, err error)
}

// Service serves the operations. It is safe for concurrent use.
type Service struct {
	Unimplemented

	store   outcrop.Store
	objects outcrop.Objects
	catalog Catalog
	models  Models
	planner Planner // nil: no jobs are taken
	now     func() time.Time
	newID   func() string
	quotas  Quotas
	log     *slog.Logger
	checks  *checks
}

// New returns a Service. Without a planner it takes no jobs. newID makes resource ids: 12 of
// [a-z0-9], never the same twice.
func New(store outcrop.Store, objects outcrop.Objects, catalog Catalog, models Models, planner Planner,
	now func() time.Time, newID func() string, quotas Quotas, log *slog.Logger) *Service {
	return &Service{
		store: store, objects: objects, catalog: catalog, models: models, planner: planner, now: now, newID: newID, quotas: quotas, log: log,
		checks: newChecks(),
	}
}

// Close ends the checks of data that go on without a caller. Requests must have ended.
func (s *Service) Close() error {
	s.checks.close()
	return nil
}

// errInvalid returns a ValidationException.
func errInvalid(format string, args ...any) error {
	return outcrop.Errorf(outcrop.CodeValidation, format, args...)
}
