package cli

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrock"
	"github.com/aws/aws-sdk-go-v2/service/bedrock/types"
	"github.com/spf13/cobra"
)

func (a *app) throughputCommand() *cobra.Command {
	return group("throughput", "Provisioned throughput: the capacity that a custom model is invoked through",
		a.throughputCreateCommand(), a.throughputListCommand(), a.throughputGetCommand(), a.throughputDeleteCommand())
}

func (c *client) getThroughput(ctx context.Context, id string) (*bedrock.GetProvisionedModelThroughputOutput, error) {
	return c.bedrock.GetProvisionedModelThroughput(ctx, &bedrock.GetProvisionedModelThroughputInput{
		ProvisionedModelId: aws.String(id),
	})
}

// throughputPoll is how often throughput that is being created is asked for: weights on disk
// load within a second or two.
const throughputPoll = 200 * time.Millisecond

// awaitThroughput waits until throughput is no longer being created; waits is told why it takes so
// long, if the server says so.
func (c *client) awaitThroughput(ctx context.Context, id string, waits func(why string)) (*bedrock.GetProvisionedModelThroughputOutput, error) {
	tick := time.NewTicker(throughputPoll)
	defer tick.Stop()
	told := ""
	for {
		t, err := c.getThroughput(ctx, id)
		if err != nil || t.Status != types.ProvisionedModelStatusCreating {
			return t, err
		}
		if why := aws.ToString(t.FailureMessage); why != told {
			told = why
			waits(why)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
		}
	}
}
