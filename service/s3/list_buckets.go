package s3

import (
	"encoding/base64"
	"encoding/xml"
	"strconv"
)

type listAllMyBucketsResult struct {
	XMLName           xml.Name `xml:"ListAllMyBucketsResult"`
	Xmlns             string   `xml:"xmlns,attr"`
	Owner             xmlOwner
	Buckets           []xmlBucket `xml:"Buckets>Bucket"`
	ContinuationToken string      `xml:",omitempty"`
	Prefix            string      `xml:",omitempty"`
}

type xmlBucket struct {
	Name         string
	CreationDate string
	BucketRegion string `xml:",omitempty"`
}

func (c *call) listBuckets() error {
	max := bucketsMax
	if v := c.query.Get("max-buckets"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > bucketsMax {
			return errInvalidArgument("max-buckets", v, "Argument max-buckets must be an integer between 1 and 10000.")
		}
		max = n
	}
	after, err := base64.RawURLEncoding.DecodeString(c.query.Get("continuation-token"))
	if err != nil {
		return errContinuation(c.query.Get("continuation-token"))
	}
	prefix := c.query.Get("prefix")
	buckets, err := c.store.ListBuckets(c.ctx, prefix, string(after), max+1)
	if err != nil {
		return err
	}
	out := listAllMyBucketsResult{Xmlns: ns, Owner: c.owner(), Prefix: prefix}
	if len(buckets) > max {
		buckets = buckets[:max]
		out.ContinuationToken = base64.RawURLEncoding.EncodeToString([]byte(buckets[max-1].Name))
	}
	for _, b := range buckets {
		out.Buckets = append(out.Buckets, xmlBucket{Name: b.Name, CreationDate: xmlTime(b.Created), BucketRegion: c.caller.Region})
	}
	return c.xml(out)
}

func errContinuation(token string) error {
	return errInvalidArgument("continuation-token", token, "The continuation token provided is incorrect")
}
