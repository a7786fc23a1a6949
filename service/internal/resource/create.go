package resource

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"

	"outcrop.dev/outcrop"
)

// Request is a call that creates something, by which it is known when it comes again.
type Request struct {
	Token       string // clientRequestToken; "" if there is none, and every call is a new one
	Fingerprint string // of what was asked: what came of it may have changed since
	Reused      outcrop.Code
}

// RequestOf returns the request that asks for in. reused is the code of the error for a token that
// comes again with another request: operations list different ones.
func RequestOf(in any, token string, reused outcrop.Code) (Request, error) {
	b, err := json.Marshal(in)
	if err != nil {
		return Request{}, err
	}
	sum := sha256.Sum256(b)
	return Request{Token: token, Fingerprint: hex.EncodeToString(sum[:]), Reused: reused}, nil
}

// Created returns the ARN of what an earlier call with the same token has created, and "" if none
// has. q.Reused if that call asked for something else.
func (k Noun[N]) Created(ctx context.Context, r outcrop.Reader, q Request) (outcrop.ARN, error) {
	sc, err := Scope(ctx)
	if err != nil || q.Token == "" {
		return "", err
	}
	rec, err := r.ByToken(ctx, k.Kind, sc, q.Token)
	if outcrop.CodeOf(err) == outcrop.CodeNotFound {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	noun, err := k.Of(rec)
	if err == nil && k.Request(noun) != q.Fingerprint {
		err = outcrop.Errorf(q.Reused, "The clientRequestToken %s was used before by a request with other parameters. Use a new token for a new request.", q.Token)
	}
	return rec.ARN, err
}

// Admit says whether noun may be created: first is the ARN of what the request has created before,
// if it has. The token is looked up after the rules: what refuses the second of two equal calls may
// be what the first has made in the meantime.
func (k Noun[N]) Admit(ctx context.Context, r outcrop.Reader, noun N, q Request, rules ...Rule[N]) (first outcrop.ARN, err error) {
	refused := check(ctx, r, noun, rules)
	if first, err := k.Created(ctx, r, q); first != "" || err != nil {
		return first, err
	}
	return "", refused
}

// errCreated ends a transaction that has nothing left to create.
var errCreated = errors.New("created before")

// Create writes noun, which Admit admits in the same transaction. It returns the ARN of what the
// request has created, now or before.
func (k Noun[N]) Create(ctx context.Context, s outcrop.Store, noun N, q Request, rules ...Rule[N]) (outcrop.ARN, error) {
	rec, first := noun.Record(), outcrop.ARN("")
	err := s.Apply(ctx, outcrop.Change{Op: outcrop.OpCreate, Record: rec, If: func(ctx context.Context, r outcrop.Reader) (err error) {
		if first, err = k.Admit(ctx, r, noun, q, rules...); err == nil && first != "" {
			err = errCreated
		}
		return err
	}})
	switch {
	case errors.Is(err, errCreated):
		return first, nil
	case err != nil:
		return "", err
	}
	return rec.ARN, nil
}
