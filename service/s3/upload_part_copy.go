package s3

import (
	"encoding/xml"
	"net/http"
	"strconv"
	"strings"

	"outcrop.dev/outcrop/data/blob"
)

type copyPartResult struct {
	XMLName      xml.Name `xml:"CopyPartResult"`
	Xmlns        string   `xml:"xmlns,attr"`
	LastModified string
	ETag         string
	xmlChecksum
}

func (c *call) uploadPartCopy(number int) error {
	if _, err := c.store.HeadBucket(c.ctx, c.bucket); err != nil {
		return err
	}
	src, err := c.copySource()
	if err != nil {
		return err
	}
	id := c.query.Get("uploadId")
	up, err := c.store.FindUpload(c.ctx, c.bucket, c.key, id)
	if err != nil {
		return err
	}
	if v := c.header("X-Amz-Copy-Source-Range"); v != "" {
		if err := sourceRange(&src, v); err != nil {
			return err
		}
	}
	p, err := c.store.UploadPartCopy(c.ctx, src, c.bucket, c.key, id, number)
	if err != nil {
		return c.sourceError(err, src)
	}
	p.Checksum.Type = ""
	if up.Checksum.Algorithm == "" {
		p.Checksum = blob.Checksum{} // nobody asked for it
	}
	return c.xml(copyPartResult{Xmlns: ns, LastModified: xmlTime(p.Modified), ETag: quote(p.ETag), xmlChecksum: checksumElements(p.Checksum)})
}

// sourceRange applies x-amz-copy-source-range, which must lie within the object.
func sourceRange(src *blob.Source, header string) error {
	spec, ok := strings.CutPrefix(header, "bytes=")
	a, b, dash := strings.Cut(spec, "-")
	first, err1 := strconv.ParseUint(a, 10, 63)
	last, err2 := strconv.ParseUint(b, 10, 63)
	if !ok || !dash || err1 != nil || err2 != nil || last < first {
		return errInvalidArgument("x-amz-copy-source-range", header, "The x-amz-copy-source-range value must be of the form bytes=first-last "+
			"where first and last are the zero-based offsets of the first and last bytes to copy")
	}
	check := src.Check
	src.First, src.Length = int64(first), int64(last-first)+1
	src.Check = func(o blob.Object) error {
		if int64(last) >= o.Size {
			return apiError("InvalidArgument", http.StatusBadRequest, "Range specified is not valid for source object of size: "+itoa64(o.Size),
				[2]string{"ArgumentName", "x-amz-copy-source-range"}, [2]string{"ArgumentValue", header})
		}
		return check(o)
	}
	return nil
}
