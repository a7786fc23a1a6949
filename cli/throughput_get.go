package cli

import (
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrock"
	"github.com/spf13/cobra"
)

func (a *app) throughputGetCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "get THROUGHPUT",
		Short: "Show provisioned throughput, by name or ARN",
		Args:  cobra.ExactArgs(1),
		RunE: a.withClient(func(c *cobra.Command, api *client, args []string) error {
			t, err := api.getThroughput(c.Context(), args[0])
			if err != nil {
				return err
			}
			return a.printThroughput(t)
		}),
	}
}

func (a *app) printThroughput(t *bedrock.GetProvisionedModelThroughputOutput) error {
	if a.output == outputJSON {
		return a.printJSON(t)
	}
	a.printFields(
		field{"Name", aws.ToString(t.ProvisionedModelName)},
		field{"ARN", aws.ToString(t.ProvisionedModelArn)},
		field{"Status", string(t.Status)},
		field{"Failure", aws.ToString(t.FailureMessage)},
		field{"Model units", strconv.Itoa(int(aws.ToInt32(t.ModelUnits)))},
		field{"Model", aws.ToString(t.ModelArn)},
		field{"Base model", aws.ToString(t.FoundationModelArn)},
		field{"Commitment", string(t.CommitmentDuration)},
		field{"Committed until", when(t.CommitmentExpirationTime)},
		field{"Created", when(t.CreationTime)},
		field{"Reserved so far", unitHours(t, time.Now())},
	)
	return nil
}

// unitHours is what the throughput has reserved until now, in the unit by which Bedrock bills
// it: model units times hours. The tokens that went through it are in /metrics.
func unitHours(t *bedrock.GetProvisionedModelThroughputOutput, now time.Time) string {
	if t.CreationTime == nil {
		return ""
	}
	hours := now.Sub(*t.CreationTime).Hours()
	return fmt.Sprintf("%.2f model unit hours", hours*float64(aws.ToInt32(t.ModelUnits)))
}
