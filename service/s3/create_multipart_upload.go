package s3

import (
	"encoding/xml"

	"outcrop.dev/outcrop/data/blob"
)

type initiateMultipartUploadResult struct {
	XMLName  xml.Name `xml:"InitiateMultipartUploadResult"`
	Xmlns    string   `xml:"xmlns,attr"`
	Bucket   string
	Key      string
	UploadID string `xml:"UploadId"`
}

func (c *call) createMultipartUpload() error {
	attributes, err := c.attributes()
	if err != nil {
		return err
	}
	sum, err := c.uploadChecksum()
	if err != nil {
		return err
	}
	u, err := c.store.CreateUpload(c.ctx, blob.Upload{Bucket: c.bucket, Key: c.key, Checksum: sum, Attributes: attributes})
	if err != nil {
		return err
	}
	if sum.Algorithm != "" {
		c.w.Header().Set("X-Amz-Checksum-Algorithm", string(sum.Algorithm))
		c.w.Header().Set("X-Amz-Checksum-Type", string(sum.Type))
	}
	return c.xml(initiateMultipartUploadResult{Xmlns: ns, Bucket: c.bucket, Key: c.key, UploadID: u.ID})
}
