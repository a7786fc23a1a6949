package s3

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strings"

	"outcrop.dev/outcrop/data/blob"
	"outcrop.dev/outcrop/wire/restxml"
)

// checkLength refuses a body whose length is unknown or above putMax.
func (c *call) checkLength() error {
	switch n := c.r.ContentLength; {
	case n < 0:
		return errMissingLength
	case n > putMax:
		return errTooLarge(n, putMax)
	}
	return nil
}

// document reads an XML body whole, checks the digests sent with it, and parses it into v.
func (c *call) document(v any, digestRequired bool) error {
	want, err := c.expectation()
	if err != nil {
		return err
	}
	if digestRequired && want.md5 == nil && want.algorithm == "" {
		return errInvalidRequest("Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
	}
	b, err := io.ReadAll(io.LimitReader(c.r.Body, documentMax+1))
	if err != nil {
		return err
	}
	if len(b) > documentMax {
		return errTooLong
	}
	if err := want.check(b, c.r.Trailer); err != nil {
		return err
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return errMissingBody
	}
	if err := restxml.Unmarshal(b, v); err != nil {
		return errMalformedXML
	}
	return nil
}

// expectation is what a client says about the digest of a body.
type expectation struct {
	md5       []byte
	algorithm blob.Algorithm // of a checksum header or trailer; empty: none
	name      string         // of that header
	sum       []byte         // of a header; a trailer's comes with the end of the body
	trailer   bool
}

const checksumPrefix = "x-amz-checksum-"

// expectation reads Content-MD5 and the checksum headers.
func (c *call) expectation() (e expectation, err error) {
	if v, ok := c.r.Header["Content-Md5"]; ok {
		if e.md5, ok = blob.MD5.Decode(v[0]); !ok {
			return e, apiError("InvalidDigest", http.StatusBadRequest, "The Content-Md5 you specified is not valid.", [2]string{"Content-MD5", v[0]})
		}
	}
	name, value, err := checksumHeader(c.r.Header)
	if err != nil {
		return e, err
	}
	if name != "" {
		var ok bool
		if e.algorithm, ok = parseAlgorithm(strings.TrimPrefix(name, checksumPrefix)); !ok {
			return e, errInvalidRequest("The algorithm type you specified in x-amz-checksum- header is invalid.")
		}
		e.name = name
		if e.sum, ok = e.algorithm.Decode(value); !ok {
			return e, errInvalidRequest("Value for " + name + " header is invalid.")
		}
	}
	if err := e.readTrailer(c.r.Header.Get("X-Amz-Trailer")); err != nil {
		return e, err
	}
	return e, e.checkSDKAlgorithm(c.header("X-Amz-Sdk-Checksum-Algorithm"))
}

// checksumHeader returns the one header x-amz-checksum-…, its name in lower case.
func checksumHeader(h http.Header) (name, value string, err error) {
	for n, values := range h {
		lower := strings.ToLower(n)
		suffix, ok := strings.CutPrefix(lower, checksumPrefix)
		if !ok || suffix == "algorithm" || suffix == "type" || suffix == "mode" {
			continue
		}
		if name != "" || len(values) != 1 {
			return "", "", errMultipleChecksums
		}
		name, value = lower, values[0]
	}
	return name, value, nil
}

var errMultipleChecksums = apiError("InvalidRequest", http.StatusBadRequest,
	"Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")

// readTrailer notes the checksum that x-amz-trailer announces.
func (e *expectation) readTrailer(announced string) error {
	if announced == "" {
		return nil
	}
	lower := strings.ToLower(strings.TrimSpace(announced))
	suffix, ok := strings.CutPrefix(lower, checksumPrefix)
	a, known := parseAlgorithm(suffix)
	if !ok || !known {
		return errInvalidRequest("The value specified in the x-amz-trailer header is not supported")
	}
	if e.algorithm != "" {
		return errMultipleChecksums
	}
	e.algorithm, e.name, e.trailer = a, lower, true
	return nil
}

func (e *expectation) checkSDKAlgorithm(name string) error {
	if name == "" {
		return nil
	}
	a, ok := parseAlgorithm(name)
	if !ok || e.algorithm != "" && a != e.algorithm {
		return errInvalidRequest("Value for x-amz-sdk-checksum-algorithm header is invalid.")
	}
	if e.algorithm == "" {
		return errInvalidRequest("x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.")
	}
	return nil
}

func parseAlgorithm(s string) (blob.Algorithm, bool) {
	for _, a := range blob.Algorithms {
		if strings.EqualFold(s, string(a)) {
			return a, true
		}
	}
	return "", false
}

// value returns the checksum that the client sent, at the end of the body.
func (e expectation) value(trailer http.Header) string {
	if e.trailer {
		return trailer.Get(e.name)
	}
	return blob.Encode(e.sum)
}

// check compares a body in memory.
func (e expectation) check(b []byte, trailer http.Header) error {
	d := blob.Digest{Size: int64(len(b)), Sums: map[blob.Algorithm][]byte{}}
	for _, a := range []blob.Algorithm{blob.MD5, e.algorithm} {
		if a != "" {
			h := a.New()
			h.Write(b)
			d.Sums[a] = h.Sum(nil)
		}
	}
	return e.verify(d, trailer)
}

// verify compares what was computed with what was sent. It is called after the body's end,
// when the trailer is there.
func (e expectation) verify(d blob.Digest, trailer http.Header) error {
	if e.md5 != nil && !bytes.Equal(e.md5, d.Sums[blob.MD5]) {
		return apiError("BadDigest", http.StatusBadRequest, "The Content-MD5 you specified did not match what we received.",
			[2]string{"ExpectedDigest", hex.EncodeToString(e.md5)}, [2]string{"CalculatedDigest", blob.Encode(d.Sums[blob.MD5])})
	}
	if e.algorithm == "" {
		return nil
	}
	sum := e.sum
	if e.trailer {
		var ok bool
		if sum, ok = e.algorithm.Decode(trailer.Get(e.name)); !ok {
			return errInvalidRequest("Value for " + e.name + " trailing header is invalid.")
		}
	}
	if !bytes.Equal(sum, d.Sums[e.algorithm]) {
		return apiError("BadDigest", http.StatusBadRequest, "The "+string(e.algorithm)+" you specified did not match the calculated checksum.")
	}
	return nil
}

// input makes the store's input of the request's body: it computes algorithm besides MD5,
// compares what the client sent, and keeps the checksum. If algorithm is empty, nothing but
// what the client sent is computed.
func (c *call) input(e expectation, algorithm blob.Algorithm) blob.PutInput {
	in := blob.PutInput{Body: c.r.Body}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	for _, a := range []blob.Algorithm{algorithm, e.algorithm} {
		if a != "" && a != blob.MD5 && (len(in.Algorithms) == 0 || in.Algorithms[0] != a) {
			in.Algorithms = append(in.Algorithms, a)
		}
	}
	in.Accept = func(d blob.Digest) (blob.Checksum, error) {
		if c.r.ContentLength >= 0 && d.Size != c.r.ContentLength {
			return blob.Checksum{}, errIncomplete
		}
		if err := e.verify(d, c.r.Trailer); err != nil || algorithm == "" {
			return blob.Checksum{}, err
		}
		return blob.Checksum{Algorithm: algorithm, Type: blob.FullObject, Value: blob.Encode(d.Sums[algorithm])}, nil
	}
	return in
}

// isMissing reports that the key, not the bucket, is missing.
func isMissing(err error) bool { return errors.Is(err, blob.ErrNoSuchKey) }

func isMissingBucket(err error) bool { return errors.Is(err, blob.ErrNoSuchBucket) }

// setChecksum puts a checksum into the answer's headers.
func setChecksum(h http.Header, s blob.Checksum) {
	if s.Value == "" {
		return
	}
	h.Set(checksumPrefix+strings.ToLower(string(s.Algorithm)), s.Value)
	if s.Type != "" {
		h.Set("X-Amz-Checksum-Type", string(s.Type))
	}
}
