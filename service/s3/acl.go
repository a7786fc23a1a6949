package s3

import (
	"encoding/xml"
	"net/http"
)

type accessControlPolicy struct {
	XMLName xml.Name `xml:"AccessControlPolicy"`
	Xmlns   string   `xml:"xmlns,attr"`
	Owner   xmlOwner
	Grants  []xmlGrant `xml:"AccessControlList>Grant"`
}

type xmlGrant struct {
	Grantee    xmlGrantee
	Permission string
}

type xmlGrantee struct {
	XSI         string `xml:"xmlns:xsi,attr"`
	Type        string `xml:"xsi:type,attr"`
	ID          string
	DisplayName string
}

// acl is the only access control list there is: the owner may do everything.
func (c *call) acl() accessControlPolicy {
	o := c.owner()
	return accessControlPolicy{Xmlns: ns, Owner: o, Grants: []xmlGrant{{
		Grantee:    xmlGrantee{"http://www.w3.org/2001/XMLSchema-instance", "CanonicalUser", o.ID, o.DisplayName},
		Permission: "FULL_CONTROL",
	}}}
}

// setACL accepts the list there is and refuses every other, as S3 does for a bucket whose
// object ownership is BucketOwnerEnforced.
func (c *call) setACL() error {
	if acl := c.header("X-Amz-Acl"); acl != "private" && acl != "bucket-owner-full-control" {
		return errNoACL
	}
	return c.empty(http.StatusOK)
}

func (c *call) getBucketAcl() error {
	if _, err := c.store.HeadBucket(c.ctx, c.bucket); err != nil {
		return err
	}
	return c.xml(c.acl())
}

func (c *call) putBucketAcl() error {
	if _, err := c.store.HeadBucket(c.ctx, c.bucket); err != nil {
		return err
	}
	return c.setACL()
}

func (c *call) getObjectAcl() error {
	if _, err := c.store.Head(c.ctx, c.bucket, c.key); err != nil {
		return err
	}
	return c.xml(c.acl())
}

func (c *call) putObjectAcl() error {
	if _, err := c.store.Head(c.ctx, c.bucket, c.key); err != nil {
		return err
	}
	return c.setACL()
}
