package s3

import (
	"encoding/xml"
	"net/http"
)

// What a bucket has that was never configured: documents, or the error that there is none.

type accelerateConfiguration struct {
	XMLName xml.Name `xml:"AccelerateConfiguration"`
	Xmlns   string   `xml:"xmlns,attr"`
}

type bucketLoggingStatus struct {
	XMLName xml.Name `xml:"BucketLoggingStatus"`
	Xmlns   string   `xml:"xmlns,attr"`
}

type notificationConfiguration struct {
	XMLName xml.Name `xml:"NotificationConfiguration"`
	Xmlns   string   `xml:"xmlns,attr"`
}

type ownershipControls struct {
	XMLName xml.Name `xml:"OwnershipControls"`
	Xmlns   string   `xml:"xmlns,attr"`
	Rule    ownershipRule
}

type ownershipRule struct{ ObjectOwnership string }

type requestPaymentConfiguration struct {
	XMLName xml.Name `xml:"RequestPaymentConfiguration"`
	Xmlns   string   `xml:"xmlns,attr"`
	Payer   string
}

// sane answers a document that is the same for every bucket.
func sane(document any) func(*call) error {
	return func(c *call) error {
		if _, err := c.store.HeadBucket(c.ctx, c.bucket); err != nil {
			return err
		}
		return c.xml(document)
	}
}

// none answers that the bucket has no such configuration.
func none(code, message string) func(*call) error {
	return func(c *call) error {
		if _, err := c.store.HeadBucket(c.ctx, c.bucket); err != nil {
			return err
		}
		return apiError(code, http.StatusNotFound, message, [2]string{"BucketName", c.bucket})
	}
}

// removed answers the removal of a configuration that no bucket has: it is not there.
func removed(c *call) error {
	if _, err := c.store.HeadBucket(c.ctx, c.bucket); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}
