package rule

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"

	"outcrop.dev/outcrop"
)

// Cursor is the place between two pages: the last record of the first.
type Cursor struct {
	Created int64 // Nanos
	ARN     outcrop.ARN
}

// A page token is the base64url form of
//
//	version 1 | digest 8 | created 8, big endian | ARN
//
// The digest covers the cursor and the query's filters, so a token that was damaged, or
// that belongs to another listing, is told from one of ours. It is no secret: the account
// comes from the caller's credentials, never from the token.
const (
	nextVersion  = 1
	digestBytes  = 8
	nextHeader   = 1 + digestBytes + 8
	nextMaxBytes = 2048 // of the text; the service model's limit on nextToken
)

// EncodeNext returns the token of the page after c.
func EncodeNext(q outcrop.Query, c Cursor) string {
	b := make([]byte, 0, nextHeader+len(c.ARN))
	b = append(b, nextVersion)
	b = append(b, digest(q, c)...)
	b = binary.BigEndian.AppendUint64(b, uint64(c.Created))
	b = append(b, c.ARN...)
	return base64.RawURLEncoding.EncodeToString(b)
}

// DecodeNext reads q.Next. CodeValidation if EncodeNext did not make it for this query.
func DecodeNext(q outcrop.Query) (Cursor, error) {
	bad := outcrop.Errorf(outcrop.CodeValidation, "The nextToken is not valid for this request: pass the one that the previous page returned, with the same filters.")
	if len(q.Next) > nextMaxBytes {
		return Cursor{}, bad
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(q.Next)
	if err != nil || len(b) <= nextHeader || b[0] != nextVersion {
		return Cursor{}, bad
	}
	c := Cursor{
		Created: int64(binary.BigEndian.Uint64(b[1+digestBytes:])),
		ARN:     outcrop.ARN(b[nextHeader:]),
	}
	if !bytes.Equal(b[1:1+digestBytes], digest(q, c)) {
		return Cursor{}, bad
	}
	return c, nil
}

// digest covers every field of q that selects or orders; the page size may differ from
// page to page.
func digest(q outcrop.Query, c Cursor) []byte {
	q.Next, q.Limit = "", 0
	q.CreatedAfter, q.CreatedBefore = Time(Nanos(q.CreatedAfter)), Time(Nanos(q.CreatedBefore))
	b, err := json.Marshal([]any{q, c})
	if err != nil {
		panic(err) // strings, bools and UTC times always marshal
	}
	sum := sha256.Sum256(b)
	return sum[:digestBytes]
}
