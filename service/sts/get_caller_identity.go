package sts

import (
	"encoding/xml"
	"strings"

	"outcrop.dev/outcrop"
)

// callerIdentity is the result of GetCallerIdentity.
type callerIdentity struct {
	XMLName xml.Name    `xml:"GetCallerIdentityResult"`
	ARN     outcrop.ARN `xml:"Arn"`
	UserID  string      `xml:"UserId"`
	Account string      `xml:"Account"`
}

// getCallerIdentity tells the caller who the signature of the request says it is. The user id
// of an account's root is the account's number; that of others, which AWS draws for itself,
// is the id of their access key.
func getCallerIdentity(c outcrop.Caller) any {
	id := c.AccessKeyID
	if strings.HasSuffix(string(c.ARN), ":root") {
		id = c.Account
	}
	return callerIdentity{ARN: c.ARN, UserID: id, Account: c.Account}
}
