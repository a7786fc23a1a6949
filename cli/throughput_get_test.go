package cli

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrock"
)

func TestUnitHours(t *testing.T) {
	t.Parallel()
	made := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	out := &bedrock.GetProvisionedModelThroughputOutput{ModelUnits: aws.Int32(2), CreationTime: &made}
	if got, want := unitHours(out, made.Add(90*time.Minute)), "3.00 model unit hours"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := unitHours(&bedrock.GetProvisionedModelThroughputOutput{}, made); got != "" {
		t.Errorf("without a creation time: %q", got)
	}
}
