package outcrop

import "context"

// Caller is who makes a request, and where: what the signature of the request proves.
type Caller struct {
	Account     string // 12 digits
	Region      string // from the signature's scope
	AccessKeyID string
	ARN         ARN // of the user or role, such as arn:aws:iam::123456789012:root
}

// Scope returns where the caller's resources live.
func (c Caller) Scope() Scope { return Scope{Account: c.Account, Region: c.Region} }

type callerKey struct{}

// WithCaller returns a context that carries who makes the request. The server's
// authentication sets it; handlers read it with CallerOf.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerOf returns who makes the request. CodeAccessDenied if ctx carries no caller.
func CallerOf(ctx context.Context) (Caller, error) {
	c, ok := ctx.Value(callerKey{}).(Caller)
	if !ok {
		return Caller{}, Errorf(CodeAccessDenied, "The request is not authenticated: sign it with AWS Signature Version 4.")
	}
	return c, nil
}
