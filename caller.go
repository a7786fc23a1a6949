package outcrop

import "context"

// Caller is who makes a request, and where: what the signature of the request proves.
type Caller struct {
	Account     string // 12 digits
	Region      string // from the signature's scope
	AccessKeyID string
	ARN         ARN // of the user or role, such as arn:aws:iam::123456789012:root
	// May decides what the caller may do; nil: everything, as an account's root may.
	May Authorizer
}

// Authorizer decides whether the caller of a request may perform an action on a resource. The
// action is written as IAM writes it, bedrock:GetCustomModel. The resource is the ARN that the
// request names, with its name or alias where it gives no id; or Anything. CodeAccessDenied if not.
type Authorizer func(ctx context.Context, action string, resource ARN) error

// Anything is the resource of an action that is on none in particular, as creating or listing is.
const Anything ARN = "*"

// Scope returns where the caller's resources live.
func (c Caller) Scope() Scope { return Scope{Account: c.Account, Region: c.Region} }

type callerKey struct{}

// WithCaller returns a context that carries who makes the request. The server's
// authentication sets it; handlers read it with CallerOf.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// Authorize asks whether the caller of the request that ctx belongs to may perform an action on a
// resource. Services ask before they do anything. CodeAccessDenied if not, or if ctx carries no
// caller.
func Authorize(ctx context.Context, action string, resource ARN) error {
	c, err := CallerOf(ctx)
	if err != nil || c.May == nil {
		return err
	}
	return c.May(ctx, action, resource)
}

// CallerOf returns who makes the request. CodeAccessDenied if ctx carries no caller.
func CallerOf(ctx context.Context) (Caller, error) {
	c, ok := ctx.Value(callerKey{}).(Caller)
	if !ok {
		return Caller{}, Errorf(CodeAccessDenied, "The request is not authenticated: sign it with AWS Signature Version 4.")
	}
	return c, nil
}
