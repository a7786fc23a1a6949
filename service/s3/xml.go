package s3

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"outcrop.dev/outcrop/wire/restxml"
)

const ns = restxml.Namespace

type xmlOwner struct {
	ID          string
	DisplayName string
}

// owner is the one owner of everything: the account.
func (c *call) owner() xmlOwner { return xmlOwner{c.caller.Account, c.caller.Account} }

// xmlTime writes a time as S3 does, with milliseconds.
func xmlTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func itoa(n int) string { return strconv.Itoa(n) }

// urlEncoding reads encoding-type; the function it returns encodes keys.
func (c *call) urlEncoding() (name string, encode func(string) string, err error) {
	switch name = c.query.Get("encoding-type"); name {
	case "":
		return "", func(s string) string { return s }, nil
	case "url":
		return name, urlEncode, nil
	}
	return "", nil, errInvalidArgument("encoding-type", name, "Invalid Encoding Method specified in Request")
}

// urlEncode escapes all but unreserved characters and slashes. A space is %20, which both
// ways of unescaping understand.
func urlEncode(s string) string {
	return strings.NewReplacer("+", "%20", "%2F", "/").Replace(url.QueryEscape(s))
}

// maxItems reads max-keys and its relatives.
func (c *call) maxItems(name string) (int, error) {
	v := c.query.Get(name)
	if v == "" {
		return listMax, nil
	}
	n, err := strconv.ParseInt(v, 10, 32)
	switch {
	case err != nil:
		return 0, errInvalidArgument(name, v, "Provided "+name+" not an integer or within integer range")
	case n < 0:
		return 0, errInvalidArgument(camel(name), v, "Argument "+v+" must be an integer between 0 and 2147483647")
	}
	return min(int(n), listMax), nil
}

// camel turns max-keys into maxKeys, as S3 names arguments in errors.
func camel(name string) string {
	a, b, _ := strings.Cut(name, "-")
	if b == "" {
		return a
	}
	return a + strings.ToUpper(b[:1]) + b[1:]
}
