package cli

import (
	"context"
	"errors"
	"net"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/bedrock"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/spf13/cobra"
)

// client holds the SDK's clients for one server.
type client struct {
	target
	bedrock *bedrock.Client
	runtime *bedrockruntime.Client
	s3      *s3.Client
	sts     *sts.Client
}

func newClient(t target) *client {
	cfg := t.config()
	cfg.Retryer = newRetryer
	return &client{
		target:  t,
		bedrock: bedrock.NewFromConfig(cfg),
		runtime: bedrockruntime.NewFromConfig(cfg),
		s3:      s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }),
		sts:     sts.NewFromConfig(cfg),
	}
}

// withClient makes a command's function from one that needs a client, and explains the
// errors of its calls.
func (a *app) withClient(run func(c *cobra.Command, api *client, args []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		t, err := a.target()
		if err != nil {
			return err
		}
		return t.explain(run(c, newClient(t), args))
	}
}

// newRetryer is the SDK's, except that a refused connection is final, because no server is
// starting that would answer a second later, and that a model not yet ready is worth the wait.
func newRetryer() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.Retryables = slices.Insert(slices.Clone(o.Retryables), 0, retry.IsErrorRetryable(retry.IsErrorRetryableFunc(retryable)))
	})
}

func retryable(err error) aws.Ternary {
	var op *net.OpError
	var api smithy.APIError
	switch {
	case errors.Is(err, context.Canceled), errors.As(err, &op) && op.Op == "dial":
		return aws.FalseTernary
	case errors.As(err, &api) && api.ErrorCode() == "ModelNotReadyException":
		return aws.TrueTernary
	}
	return aws.UnknownTernary
}

// authErrorCodes are the errors of a request whose key or signature was refused, in
// Bedrock's, STS's and S3's naming.
var authErrorCodes = []string{
	"UnrecognizedClientException", "InvalidSignatureException", "InvalidClientTokenId",
	"SignatureDoesNotMatch", "InvalidAccessKeyId", "IncompleteSignature", "MissingAuthenticationToken",
	"ExpiredTokenException", "RequestExpired", "RequestTimeTooSkewed",
}

func isAuthError(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && slices.Contains(authErrorCodes, api.ErrorCode())
}

// account asks the server which account the key belongs to.
func (c *client) account(ctx context.Context) (string, error) {
	out, err := c.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.Account), nil
}
