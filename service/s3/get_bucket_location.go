package s3

import "encoding/xml"

type locationConstraint struct {
	XMLName xml.Name `xml:"LocationConstraint"`
	Xmlns   string   `xml:"xmlns,attr"`
	Region  string   `xml:",chardata"`
}

// getBucketLocation answers the region that the caller signed for. us-east-1 is written as
// nothing.
func (c *call) getBucketLocation() error {
	if _, err := c.store.HeadBucket(c.ctx, c.bucket); err != nil {
		return err
	}
	out := locationConstraint{Xmlns: ns}
	if c.caller.Region != "us-east-1" {
		out.Region = c.caller.Region
	}
	return c.xml(out)
}
