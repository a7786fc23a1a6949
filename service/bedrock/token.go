package bedrock

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

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

// fingerprint tells a request from others with the same clientRequestToken. It is of what was
// asked: what came of it may have changed when it is asked again.
func fingerprint(in any) (string, error) {
	b, err := json.Marshal(in)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// reused returns the error for a clientRequestToken that comes again with another request.
func reused(code outcrop.Code, token string) error {
	return outcrop.Errorf(code, "The clientRequestToken %s was used before by a request with other parameters. Use a new token for a new request.", token)
}
