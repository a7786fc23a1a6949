package s3

import (
	"encoding/xml"
	"strconv"
	"strings"

	"outcrop.dev/outcrop/blob"
)

// partMin is the least size of a part that is not the last: S3's 5 MiB.
const partMin = 5 << 20

type completeMultipartUpload struct {
	XMLName xml.Name `xml:"CompleteMultipartUpload"`
	Parts   []struct {
		PartNumber *int
		ETag       *string
		xmlChecksum
	} `xml:"Part"`
}

type completeMultipartUploadResult struct {
	XMLName  xml.Name `xml:"CompleteMultipartUploadResult"`
	Xmlns    string   `xml:"xmlns,attr"`
	Location string
	Bucket   string
	Key      string
	ETag     string
	xmlChecksum
}

func (c *call) completeMultipartUpload() error {
	id := c.query.Get("uploadId")
	in := blob.CompleteInput{PartMin: partMin}
	var err error
	if in.Parts, err = c.completedParts(); err != nil {
		return err
	}
	if in.Condition, err = c.writeCondition(); err != nil {
		return err
	}
	if in.Accept, err = c.acceptCompleted(); err != nil {
		return err
	}
	o, err := c.store.CompleteUpload(c.ctx, c.bucket, c.key, id, in)
	if err != nil {
		return err
	}
	scheme := "http"
	if c.r.TLS != nil {
		scheme = "https"
	}
	return c.xml(completeMultipartUploadResult{
		Xmlns: ns, Location: scheme + "://" + c.r.Host + "/" + c.bucket + "/" + urlEncode(c.key), Bucket: c.bucket, Key: c.key,
		ETag: quote(o.ETag), xmlChecksum: checksumElements(o.Checksum),
	})
}

func (c *call) completedParts() ([]blob.CompletedPart, error) {
	var in completeMultipartUpload
	sum := c.r.Header.Clone()
	for name := range sum { // they are the object's, not the body's
		if strings.HasPrefix(strings.ToLower(name), checksumPrefix) {
			c.r.Header.Del(name)
		}
	}
	err := c.document(&in, false)
	c.r.Header = sum
	if err != nil {
		return nil, err
	}
	if len(in.Parts) == 0 || len(in.Parts) > partsMax {
		return nil, errMalformedXML
	}
	parts := make([]blob.CompletedPart, len(in.Parts))
	for i, p := range in.Parts {
		if p.PartNumber == nil || p.ETag == nil {
			return nil, errMalformedXML
		}
		if *p.PartNumber < 1 {
			return nil, errInvalidArgument("PartNumber", itoa(*p.PartNumber), "PartNumber must be >= 1")
		}
		parts[i] = blob.CompletedPart{Number: *p.PartNumber, ETag: unquote(*p.ETag), Checksum: p.checksum()}
	}
	return parts, nil
}

// acceptCompleted compares what the request says about the whole object.
func (c *call) acceptCompleted() (func(blob.Object) error, error) {
	size := int64(-1)
	if v := c.header("X-Amz-Mp-Object-Size"); v != "" {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return nil, errInvalidRequest("Value for x-amz-mp-object-size header is invalid: '" + v + "'")
		}
		if n < 0 {
			return nil, errInvalidRequest("Value for x-amz-mp-object-size header is less than zero: '" + v + "'")
		}
		size = n
	}
	kind := c.header("X-Amz-Checksum-Type")
	return func(o blob.Object) error {
		if size >= 0 && size != o.Size {
			return errInvalidRequest("The provided 'x-amz-mp-object-size' header value " + itoa64(size) + " does not match what was computed: " + itoa64(o.Size))
		}
		if kind != "" && o.Checksum.Type != "" && kind != string(o.Checksum.Type) {
			return errInvalidRequest("The upload was created using the " + string(o.Checksum.Type) +
				" checksum mode. The complete request must use the same checksum mode.")
		}
		want := c.header(checksumPrefix + string(o.Checksum.Algorithm))
		if o.Checksum.Value != "" && want != "" && strings.Split(want, "-")[0] != strings.Split(o.Checksum.Value, "-")[0] {
			return apiError("BadDigest", 400, "The "+string(o.Checksum.Algorithm)+" you specified did not match the calculated checksum.")
		}
		return nil
	}, nil
}
