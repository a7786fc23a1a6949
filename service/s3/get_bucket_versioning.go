package s3

import "encoding/xml"

type versioningConfiguration struct {
	XMLName xml.Name `xml:"VersioningConfiguration"`
	Xmlns   string   `xml:"xmlns,attr"`
}

// getBucketVersioning answers that versioning was never enabled.
func (c *call) getBucketVersioning() error {
	if _, err := c.store.HeadBucket(c.ctx, c.bucket); err != nil {
		return err
	}
	return c.xml(versioningConfiguration{Xmlns: ns})
}
