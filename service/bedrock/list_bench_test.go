package bedrock_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/store/sqlite"
	"outcrop.dev/outcrop/service/bedrock"
)

// BenchmarkListJobs lists pages of 10,000 jobs that are on disk: the largest page, which is the first
// and one in the middle, and those of a name of which there is one.
func BenchmarkListJobs(b *testing.B) {
	const jobs, page = 10_000, 1000
	e := newEnvWith(b, bedrock.DefaultQuotas())
	rows, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "outcrop.db"), e.clock)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { rows.Close() })
	service := e.over(rows, bedrock.DefaultQuotas())
	for n := 0; n < jobs; n += 100 {
		var batch []outcrop.Change
		for i := n; i < n+100; i++ {
			j := &outcrop.Job{Meta: outcrop.Meta{
				Kind: outcrop.KindJob, Scope: home, ID: fmt.Sprintf("j%011d", i), Name: fmt.Sprint("job-", i), Status: outcrop.JobCompleted,
				ARN: home.ARN(outcrop.KindJob, fmt.Sprintf("%s/j%011d", titan, i)),
			}, CustomModelName: "model", TrainingURI: "s3://data/train.jsonl", HyperParameters: map[string]string{"epochCount": "2"}}
			batch = append(batch, outcrop.Change{Op: outcrop.OpCreate, Record: j.Record()})
		}
		if err := rows.Apply(b.Context(), batch...); err != nil {
			b.Fatal(err)
		}
	}
	most := page
	first, err := service.ListModelCustomizationJobs(e.ctx(), &bedrock.ListModelCustomizationJobsInput{MaxResults: &most})
	if err != nil || len(first.ModelCustomizationJobSummaries) != page {
		b.Fatalf("%d jobs, %v", len(first.ModelCustomizationJobSummaries), err)
	}
	for name, in := range map[string]bedrock.ListModelCustomizationJobsInput{
		"page=1000": {MaxResults: &most}, "next=1000": {MaxResults: &most, NextToken: first.NextToken}, "page=default": {}, "name": {NameContains: "b-77"},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := service.ListModelCustomizationJobs(e.ctx(), &in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
