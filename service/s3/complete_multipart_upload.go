package s3

import (
	"encoding/xml"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"outcrop.dev/outcrop/data/blob"
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
	name, value, err := checksumHeader(c.r.Header)
	if err != nil {
		return err
	}
	if in.Parts, err = c.completedParts(name); err != nil {
		return err
	}
	up, err := c.store.FindUpload(c.ctx, c.bucket, c.key, id)
	switch {
	case errors.Is(err, blob.ErrNoSuchUpload): // it may be complete already: the store knows
	case err != nil:
		return err
	default:
		if err := checkPartChecksums(up, in.Parts); err != nil {
			return err
		}
	}
	if in.Condition, err = c.writeCondition(); err != nil {
		return err
	}
	if in.Accept, err = c.acceptCompleted(up, name, value); err != nil {
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

// completedParts parses the body. The checksum header of this request, name, is the object's
// and not the body's.
func (c *call) completedParts(name string) ([]blob.CompletedPart, error) {
	var in completeMultipartUpload
	value := c.r.Header.Values(name)
	c.r.Header.Del(name)
	err := c.document(&in, false)
	if name != "" {
		c.r.Header[http.CanonicalHeaderKey(name)] = value
	}
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
		sum, wrong, ok := p.checksum()
		if !ok {
			return nil, errInvalidArgument("Checksum", wrong, "Invalid Base64 or multiple checksums present in request")
		}
		parts[i] = blob.CompletedPart{Number: *p.PartNumber, ETag: unquote(*p.ETag), Checksum: sum}
	}
	return parts, nil
}

// checkPartChecksums sees that parts are named with the upload's checksum, as they must be
// for a composite one.
func checkPartChecksums(up blob.Upload, parts []blob.CompletedPart) error {
	a := up.Checksum.Algorithm
	if a == "" {
		return nil
	}
	for _, p := range parts {
		switch sent := p.Checksum.Algorithm; {
		case sent == "" && up.Checksum.Type == blob.Composite:
			return errInvalidRequest("The upload was created using a " + strings.ToLower(string(a)) + " checksum. The complete request must " +
				"include the checksum for each part. It was missing for part " + itoa(p.Number) + " in the request.")
		case sent != "" && sent != a:
			return apiError("BadDigest", http.StatusBadRequest, "The "+strings.ToLower(string(sent))+" you specified for part "+
				itoa(p.Number)+" did not match what we received.")
		}
	}
	return nil
}

// acceptCompleted compares what the request says about the whole object: its size, and the
// checksum if it is of the upload's algorithm.
func (c *call) acceptCompleted(up blob.Upload, name, value string) (func(blob.Object) error, error) {
	size, err := c.objectSize()
	if err != nil {
		return nil, err
	}
	kind, err := c.checksumType()
	if err != nil {
		return nil, err
	}
	a, known := parseAlgorithm(strings.TrimPrefix(name, checksumPrefix))
	compare := known && a == up.Checksum.Algorithm
	plain, number, composite := strings.Cut(value, "-")
	if compare {
		if _, ok := a.Decode(plain); !ok || composite && !isNumber(number) {
			return nil, errInvalidRequest("Value for " + name + " header is invalid.")
		}
	}
	return func(o blob.Object) error {
		if size >= 0 && size != o.Size {
			return errInvalidRequest("The provided 'x-amz-mp-object-size' header value " + itoa64(size) + " does not match what was computed: " + itoa64(o.Size))
		}
		if kind != "" && up.Checksum.Type != "" && kind != up.Checksum.Type {
			return errInvalidRequest("The upload was created using the " + string(up.Checksum.Type) +
				" checksum mode. The complete request must use the same checksum mode.")
		}
		ours, ourNumber, _ := strings.Cut(o.Checksum.Value, "-")
		if compare && (plain != ours || composite && number != ourNumber) {
			return apiError("BadDigest", http.StatusBadRequest, "The "+string(a)+" you specified did not match the calculated checksum.")
		}
		return nil
	}, nil
}

func isNumber(s string) bool {
	_, err := strconv.ParseUint(s, 10, 31)
	return err == nil
}

// objectSize reads x-amz-mp-object-size; -1 if it is not there.
func (c *call) objectSize() (int64, error) {
	v := c.header("X-Amz-Mp-Object-Size")
	if v == "" {
		return -1, nil
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		return 0, errInvalidRequest("Value for x-amz-mp-object-size header is invalid: '" + v + "'")
	}
	if n < 0 {
		return 0, errInvalidRequest("Value for x-amz-mp-object-size header is less than zero: '" + v + "'")
	}
	return n, nil
}
