package rule

import (
	"fmt"

	"outcrop.dev/outcrop"
)

// NotFound says that key names no live record.
func NotFound(key outcrop.Key) error {
	if key.ARN != "" {
		p, _ := outcrop.ParseARN(string(key.ARN))
		return outcrop.Errorf(outcrop.CodeNotFound, "The %s %s does not exist. Check the ARN and the region.", p.Kind.Noun(), key.ARN)
	}
	return outcrop.Errorf(outcrop.CodeNotFound, "The %s %q does not exist in account %s, region %s. Check the name or ARN and the region.",
		key.Kind.Noun(), key.Ref, key.Account, key.Region)
}

// TokenNotFound says that no live record was created with the token.
func TokenNotFound(kind outcrop.Kind, token string) error {
	return outcrop.Errorf(outcrop.CodeNotFound, "No %s was created with the client request token %q.", kind.Noun(), token)
}

// NameTaken says that another live record of the kind and scope has m's name.
func NameTaken(m outcrop.Meta) error {
	return outcrop.Errorf(outcrop.CodeConflict, "The name %q is already in use by another %s. Choose another name, or delete that one first.", m.Name, m.Kind.Noun())
}

// TokenTaken says that another live record of the kind and scope has m's request token.
func TokenTaken(m outcrop.Meta) error {
	return outcrop.Errorf(outcrop.CodeConflict, "The client request token %q has already created another %s. Use a new token.", m.Token, m.Kind.Noun())
}

// Exists says that a record with m's ARN exists already.
func Exists(m outcrop.Meta) error {
	return outcrop.Errorf(outcrop.CodeConflict, "%s exists already.", m.ARN)
}

// Stale says that the record has changed since the change was prepared.
func Stale(arn outcrop.ARN) error {
	return &outcrop.Error{
		Code: outcrop.CodeConflict,
		Msg:  fmt.Sprintf("%s was changed by another request at the same time. Read it again and retry.", arn),
		Err:  outcrop.ErrStale,
	}
}

func bug(r outcrop.Record, what string) error {
	return fmt.Errorf("change of %s %q (%s): the record %s", r.Kind.Noun(), r.Name, r.ARN, what)
}
