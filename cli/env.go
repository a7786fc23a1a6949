package cli

import (
	"cmp"

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
	names, values := t.environment(a.getenv)
	if a.output == outputJSON {
		return a.printJSON(values)
	}
	for _, name := range names {
		a.printf("export %s=%s\n", name, shellQuote(values[name]))
	}
	return nil
}

// environment is what an AWS SDK must find in its environment to speak to the target. The
// metadata service is switched off so that no SDK goes looking for it on the network, and no proxy
// is to see what is for this server: SDKs would send it even what is for 127.0.0.1.
func (t target) environment(getenv func(string) string) (names []string, values map[string]string) {
	names = []string{"AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_EC2_METADATA_DISABLED", "NO_PROXY", "no_proxy"}
	if t.caBundle != "" {
		names = append(names, "AWS_CA_BUNDLE")
	}
	return names,
		map[string]string{
			"AWS_CA_BUNDLE":             t.caBundle,
			"NO_PROXY":                  t.noProxy(cmp.Or(getenv("NO_PROXY"), getenv("no_proxy"))),
			"no_proxy":                  t.noProxy(cmp.Or(getenv("no_proxy"), getenv("NO_PROXY"))),
			"AWS_ENDPOINT_URL":          cmp.Or(t.public, t.url),
			"AWS_ACCESS_KEY_ID":         t.key.AccessKeyID,
			"AWS_SECRET_ACCESS_KEY":     t.key.SecretAccessKey,
			"AWS_REGION":                t.region,
			"AWS_DEFAULT_REGION":        t.region,
			"AWS_EC2_METADATA_DISABLED": "true",
		}
}
