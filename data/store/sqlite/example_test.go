package sqlite_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/store/sqlite"
)

// A record is created, and changed by who has read its newest version.
func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	ctx := context.Background()
	s, err := sqlite.Open(ctx, filepath.Join(dir, "outcrop.db"), time.Now)
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()

	scope := outcrop.Scope{Account: "123456789012", Region: "us-east-1"}
	arn := scope.ARN(outcrop.KindJob, "base/abcdefghijkl")
	err = s.Apply(ctx, outcrop.Change{Op: outcrop.OpCreate, Record: outcrop.Record{
		Meta: outcrop.Meta{Kind: outcrop.KindJob, Scope: scope, ID: "abcdefghijkl", ARN: arn, Name: "notes", Status: outcrop.JobInProgress},
		Body: []byte(`{"Epochs":2}`),
	}})
	if err != nil {
		log.Fatal(err)
	}
	job, err := s.Get(ctx, outcrop.KeyFor(outcrop.KindJob, scope, "notes"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(job.Name, job.Status, "version", job.Version, string(job.Body))

	old := job
	job.Status = outcrop.JobCompleted
	fmt.Println(s.Apply(ctx, outcrop.Change{Op: outcrop.OpUpdate, Record: job}))
	fmt.Println(outcrop.CodeOf(s.Apply(ctx, outcrop.Change{Op: outcrop.OpUpdate, Record: old})))
	// Output:
	// notes InProgress version 1 {"Epochs":2}
	// <nil>
	// ConflictException
}
