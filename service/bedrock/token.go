package bedrock

import (
	"context"

	"outcrop.dev/outcrop"
)

// createdBy returns the record that an earlier call with the same clientRequestToken has
// created; ok is false if there is none.
func (s *Service) createdBy(ctx context.Context, kind outcrop.Kind, sc outcrop.Scope, token string) (rec outcrop.Record, ok bool, err error) {
	if token == "" {
		return rec, false, nil
	}
	rec, err = s.store.ByToken(ctx, kind, sc, token)
	if outcrop.CodeOf(err) == outcrop.CodeNotFound {
		return rec, false, nil
	}
	return rec, err == nil, err
}

// reused returns the error for a clientRequestToken that comes again with another request.
func reused(code outcrop.Code, token string) error {
	return outcrop.Errorf(code, "The clientRequestToken %s was used before by a request with other parameters. Use a new token for a new request.", token)
}
