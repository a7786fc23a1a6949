package s3

import (
	"encoding/xml"
	"strings"

	"outcrop.dev/outcrop/data/blob"
)

// listBucketResult is the answer of both versions of ListObjects.
type listBucketResult struct {
	XMLName      xml.Name `xml:"ListBucketResult"`
	Xmlns        string   `xml:"xmlns,attr"`
	Name         string
	Prefix       string
	Marker       *string
	NextMarker   string `xml:",omitempty"`
	StartAfter   string `xml:",omitempty"`
	Continuation string `xml:"ContinuationToken,omitempty"`
	Next         string `xml:"NextContinuationToken,omitempty"`
	KeyCount     *int
	MaxKeys      int
	Delimiter    string `xml:",omitempty"`
	EncodingType string `xml:",omitempty"`
	IsTruncated  bool
	Contents     []xmlObject
	Prefixes     []xmlPrefix `xml:"CommonPrefixes"`
}

type xmlObject struct {
	Key               string
	LastModified      string
	ETag              string
	ChecksumAlgorithm string `xml:",omitempty"`
	ChecksumType      string `xml:",omitempty"`
	Size              int64
	StorageClass      string
	Owner             *xmlOwner
}

type xmlPrefix struct{ Prefix string }

// listing is what the versions of ListObjects have in common.
type listing struct {
	query    blob.ObjectQuery
	encoding string
	encode   func(string) string
}

func (c *call) listing() (l listing, err error) {
	l.query = blob.ObjectQuery{Prefix: c.query.Get("prefix"), Delimiter: c.query.Get("delimiter")}
	if l.query.Max, err = c.maxItems("max-keys"); err != nil {
		return l, err
	}
	l.encoding, l.encode, err = c.urlEncoding()
	return l, err
}

func (c *call) result(l listing, page blob.ObjectPage, owner bool) listBucketResult {
	out := listBucketResult{
		Xmlns: ns, Name: c.bucket, Prefix: l.encode(l.query.Prefix), MaxKeys: l.query.Max,
		Delimiter: l.encode(l.query.Delimiter), EncodingType: l.encoding, IsTruncated: page.Truncated,
	}
	for _, o := range page.Objects {
		x := xmlObject{
			Key: l.encode(o.Key), LastModified: xmlTime(o.Modified), ETag: quote(o.ETag), Size: o.Size, StorageClass: "STANDARD",
			ChecksumAlgorithm: string(o.Checksum.Algorithm), ChecksumType: string(o.Checksum.Type),
		}
		if owner {
			u := c.owner()
			x.Owner = &u
		}
		out.Contents = append(out.Contents, x)
	}
	for _, p := range page.Prefixes {
		out.Prefixes = append(out.Prefixes, xmlPrefix{l.encode(p)})
	}
	return out
}

// listObjects is the first version.
func (c *call) listObjects() error {
	l, err := c.listing()
	if err != nil {
		return err
	}
	marker := c.query.Get("marker")
	l.query.After = marker
	l.query.AfterPrefix = rolledUp(marker, l.query)
	page, err := c.store.ListObjects(c.ctx, c.bucket, l.query)
	if err != nil {
		return err
	}
	out := c.result(l, page, true)
	encoded := l.encode(marker)
	out.Marker = &encoded
	if page.Truncated { // S3 gives it only with a delimiter; it is of use without one too
		out.NextMarker = l.encode(page.Last)
	}
	return c.xml(out)
}

// rolledUp returns the common prefix that a marker lies in, or "": all keys behind that prefix
// were listed with it.
func rolledUp(marker string, q blob.ObjectQuery) string {
	rest, ok := strings.CutPrefix(marker, q.Prefix)
	if !ok || q.Delimiter == "" {
		return ""
	}
	before, _, ok := strings.Cut(rest, q.Delimiter)
	if !ok {
		return ""
	}
	return q.Prefix + before + q.Delimiter
}
