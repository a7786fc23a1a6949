package rows_test

import (
	"context"
	"fmt"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/store/memory"
	"outcrop.dev/outcrop/internal/rows"
)

// A record is changed by what it was when it was read, whoever else writes meanwhile.
func ExampleEdit() {
	ctx, store := context.Background(), memory.New(time.Now)
	scope := outcrop.Scope{Account: "123456789012", Region: "us-east-1"}
	job := outcrop.Job{Meta: outcrop.Meta{Kind: outcrop.KindJob, Scope: scope, ID: "ldsjl9h7yexe", ARN: scope.ARN(outcrop.KindJob, "m/ldsjl9h7yexe"), Name: "notes"}}
	fmt.Println(store.Apply(ctx, outcrop.Change{Op: outcrop.OpCreate, Record: job.Record()}))

	err := rows.Edit(ctx, store, outcrop.Key{ARN: job.ARN}, func(r outcrop.Record) ([]outcrop.Change, error) {
		r.Tags = map[string]string{"team": "a"}
		return []outcrop.Change{{Op: outcrop.OpUpdate, Record: r}}, nil
	})
	fmt.Println(err)
	found, err := rows.Find(ctx, store, outcrop.KindJob, scope, "notes")
	fmt.Println(found.Tags, err)
	// Output:
	// <nil>
	// <nil>
	// map[team:a] <nil>
}
