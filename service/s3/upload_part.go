package s3

import (
	"net/http"

	"outcrop.dev/outcrop/data/blob"
)

// uploadPart stores a part. The request with x-amz-copy-source is UploadPartCopy.
func (c *call) uploadPart() error {
	number, err := c.partNumber()
	if err != nil {
		return err
	}
	if c.header(copySourceHeader) != "" {
		return c.uploadPartCopy(number)
	}
	if err := c.checkLength(); err != nil {
		return err
	}
	want, err := c.expectation()
	if err != nil {
		return err
	}
	id := c.query.Get("uploadId")
	up, err := c.store.FindUpload(c.ctx, c.bucket, c.key, id)
	if err != nil {
		return err
	}
	algorithm, err := partAlgorithm(up, want)
	if err != nil {
		return err
	}
	p, err := c.store.UploadPart(c.ctx, c.bucket, c.key, id, number, c.input(want, algorithm))
	if err != nil {
		return err
	}
	c.w.Header().Set("ETag", quote(p.ETag))
	p.Checksum.Type = ""
	if up.Checksum.Algorithm != "" || want.algorithm == "" {
		setChecksum(c.w.Header(), p.Checksum)
	} else { // the client's, which was compared; ours is another
		setChecksum(c.w.Header(), blob.Checksum{Algorithm: want.algorithm, Value: want.value(c.r.Trailer)})
	}
	return c.empty(http.StatusOK)
}

// partAlgorithm returns the checksum that a part shall have. Parts of an upload with an
// algorithm must have its checksum; for a composite one the client must send it.
func partAlgorithm(up blob.Upload, want expectation) (blob.Algorithm, error) {
	a := up.Checksum.Algorithm
	if a == "" || a == want.algorithm {
		return up.EffectiveChecksum().Algorithm, nil
	}
	if want.algorithm == "" && up.Checksum.Type == blob.FullObject {
		return a, nil
	}
	sent := string(want.algorithm)
	if sent == "" {
		sent = "null"
	}
	return "", errInvalidRequest("Checksum Type mismatch occurred, expected checksum Type: " + string(a) + ", actual checksum Type: " + sent)
}
