package cli

import (
	"github.com/spf13/cobra"
)

func (a *app) envCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "env",
		Short: "Print the export lines that point an AWS SDK at the server",
		Long: `Print the export lines that point the AWS CLI, boto3 and every other AWS SDK at the server that uses
the data directory. The keys are secret: the lines hold them.`,
		Example: `  eval "$(outcrop env)"
  aws s3 mb s3://my-bucket`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			t, err := a.dataDirTarget()
			if err != nil {
				return err
			}
			return a.printEnv(t)
		},
	}
}

func (a *app) printEnv(t target) error {
	names, values := t.environment()
	if a.output == outputJSON {
		return a.printJSON(values)
	}
	for _, name := range names {
		a.printf("export %s=%s\n", name, shellQuote(values[name]))
	}
	return nil
}

// environment is what an AWS SDK must find in its environment to speak to the target. The
// metadata service is switched off so that no SDK goes looking for it on the network.
func (t target) environment() (names []string, values map[string]string) {
	return []string{"AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_EC2_METADATA_DISABLED"},
		map[string]string{
			"AWS_ENDPOINT_URL":          t.url,
			"AWS_ACCESS_KEY_ID":         t.key.AccessKeyID,
			"AWS_SECRET_ACCESS_KEY":     t.key.SecretAccessKey,
			"AWS_REGION":                t.region,
			"AWS_DEFAULT_REGION":        t.region,
			"AWS_EC2_METADATA_DISABLED": "true",
		}
}
