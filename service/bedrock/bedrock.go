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
	"io"
	"log/slog"
	"time"

	"outcrop.dev/outcrop"
)

// Catalog knows the foundation models.
type Catalog interface {
	// List returns all models, always in the same order.
	List() []outcrop.FoundationModel
}

// Dataset is one file of training or validation data.
type Dataset struct {
	Name string // for messages: its S3 URI
	Open func(context.Context) (io.ReadCloser, error)
}

// DataCheck is what a DataChecker is asked: whether a model can be trained on data in a way.
type DataCheck struct {
	Model             outcrop.ModelFiles
	CustomizationType string // what the rows must be for
	Train             outcrop.TrainSpec
	Training          Dataset
	Validations       []Dataset
}

// DataReport is what a DataChecker found.
type DataReport struct {
	Err   error             // nil if the data are good, else a CodeValidation that names the first mistakes and counts all
	JSON  []byte            // the whole report
	Train outcrop.TrainSpec // with what was left open chosen, if the data are good
}

// DataChecker reads all of a job's data as the job itself will.
type DataChecker interface {
	// Check reads every row. The error is not that the data are bad: they could not be read, or
	// training on them does not fit into this machine, which is a CodeValidation.
	Check(ctx context.Context, ask DataCheck) (DataReport, error)
}

// Service serves the operations. It is safe for concurrent use.
type Service struct {
	Unimplemented

	store   outcrop.Store
	objects outcrop.Objects
	catalog Catalog
	models  Models
	data    DataChecker
	now     func() time.Time
	newID   func() string
	quotas  Quotas
	log     *slog.Logger
}

// New returns a Service. newID makes resource ids: 12 of [a-z0-9], never the same twice.
func New(store outcrop.Store, objects outcrop.Objects, catalog Catalog, models Models, data DataChecker,
	now func() time.Time, newID func() string, quotas Quotas, log *slog.Logger) *Service {
	return &Service{
		store: store, objects: objects, catalog: catalog, models: models, data: data, now: now, newID: newID, quotas: quotas, log: log,
	}
}

// errInvalid returns a ValidationException.
func errInvalid(format string, args ...any) error {
	return outcrop.Errorf(outcrop.CodeValidation, format, args...)
}
