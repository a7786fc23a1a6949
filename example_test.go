package outcrop_test

import (
	"fmt"

	"outcrop.dev/outcrop"
)

// A noun is kept as a record, and read back as what it is. An error that people see has a code.
func Example() {
	scope := outcrop.Scope{Account: "123456789012", Region: "us-east-1"}
	job := outcrop.Job{
		Meta: outcrop.Meta{
			Kind: outcrop.KindJob, Scope: scope, ID: "ldsjl9h7yexe", Name: "notes", Status: outcrop.JobInProgress,
			ARN: scope.ARN(outcrop.KindJob, "outcrop.pebble-v1/ldsjl9h7yexe"),
		},
		OutputURI: "s3://my-bucket/output/",
	}
	record := job.Record() // what a Store keeps
	again, err := outcrop.JobOf(record)
	fmt.Println(again.ARN, again.Terminal(), err)
	fmt.Println(again.OutputPrefix())

	_, _, err = outcrop.ParseS3URI("my-bucket/output")
	fmt.Println(outcrop.CodeOf(err))
	// Output:
	// arn:aws:bedrock:us-east-1:123456789012:model-customization-job/outcrop.pebble-v1/ldsjl9h7yexe false <nil>
	// s3://my-bucket/output/model-customization-job-ldsjl9h7yexe
	// ValidationException
}
