package sigv4

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// BufferedMax is the largest body that is read into memory to be verified: those of other
// services than S3. Bedrock takes bodies of up to 25,000,000 bytes.
const BufferedMax = 32 << 20

// Values of x-amz-content-sha256 other than a hash.
const (
	unsignedPayload        = "UNSIGNED-PAYLOAD"
	streamingUnsigned      = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	streamingSigned        = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	streamingSignedTrailer = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
)

// emptySum is the SHA-256 of no bytes, in hexadecimal.
const emptySum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

type payloadKind int

const (
	payloadUnsigned payloadKind = iota + 1 // the body is not bound
	payloadSum                             // sum is its SHA-256
	payloadHashUs                          // nothing was sent: the signer hashed it, and so must we
	payloadChunked                         // aws-chunked
)

// payload says how the body is bound to the signature.
type payload struct {
	kind payloadKind
	hash string // as it stands in the canonical request
	sum  string // hexadecimal SHA-256 of the body, for payloadSum
}

// payloadMode reads x-amz-content-sha256.
func payloadMode(r *http.Request, service string) (payload, error) {
	v := r.Header.Get("X-Amz-Content-Sha256")
	if v != "" {
		return parsePayload(v, service)
	}
	if service == serviceS3 {
		return payload{}, &Error{Reason: NoPayloadHash, Msg: "Missing required header for this request: x-amz-content-sha256"}
	}
	return payload{kind: payloadHashUs}, nil
}

// parsePayload reads a value of x-amz-content-sha256. Only S3 takes bodies that are not signed
// whole.
func parsePayload(v, service string) (payload, error) {
	switch v {
	case unsignedPayload, streamingUnsigned, streamingSigned, streamingSignedTrailer:
		if service != serviceS3 {
			return payload{}, errNotWhole(v)
		}
	}
	switch v {
	case unsignedPayload:
		return payload{kind: payloadUnsigned, hash: v}, nil
	case streamingUnsigned, streamingSigned, streamingSignedTrailer:
		return payload{kind: payloadChunked, hash: v}, nil
	}
	if b, err := hex.DecodeString(v); err != nil || len(b) != sha256.Size {
		return payload{}, &Error{Reason: BadArgument,
			Msg:     "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or a valid sha256 value.",
			Details: []Detail{{"ArgumentName", "x-amz-content-sha256"}, {"ArgumentValue", v}}}
	}
	return payload{kind: payloadSum, hash: v, sum: strings.ToLower(v)}, nil
}

// installBody replaces r.Body by one that yields only what was signed.
func (v *Verifier) installBody(r *http.Request, s signed, mode payload, key []byte) error {
	switch {
	case mode.kind == payloadChunked:
		return installChunked(r, s, key)
	case mode.kind != payloadSum:
		return nil
	case s.service != serviceS3:
		sum, err := v.bufferBody(r)
		if err == nil && sum != mode.sum {
			err = errPayloadMismatch(mode.sum, sum)
		}
		return err
	case r.Body == nil || r.Body == http.NoBody:
		if mode.sum != emptySum {
			return errPayloadMismatch(mode.sum, emptySum)
		}
		return nil
	}
	r.Body = &sumReader{body: r.Body, hash: sha256.New(), want: mode.sum}
	return nil
}

// clientBody makes every failure to read what a client sends a refusal: a connection that
// was cut, chunks of HTTP that do not parse. Behind it, an error of a body is the client's.
type clientBody struct{ io.ReadCloser }

func (b clientBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = &Error{Reason: Incomplete, Msg: errIncomplete().Msg, Err: err}
	}
	return n, err
}

// bufferBody reads the whole body, puts it back and returns its hexadecimal SHA-256.
func (v *Verifier) bufferBody(r *http.Request) (string, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return emptySum, nil
	}
	if r.ContentLength > BufferedMax {
		return "", errBodyTooLarge()
	}
	if err := v.reserve(r); err != nil {
		return "", err
	}
	b, err := readAll(r.Body, r.ContentLength)
	if err != nil {
		return "", err
	}
	r.Body.Close()
	r.Body, r.ContentLength = &Buffered{bytes.NewReader(b), b}, int64(len(b))
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// believedMax is how much memory a body has before any of it has come. Whoever sends that much is
// believed the rest.
const believedMax = 1 << 20

// readAll reads a body of that many bytes, or of any number if it is negative, into memory of
// its size: what grows has garbage as large beside it.
func readAll(body io.Reader, length int64) ([]byte, error) {
	if length >= 0 {
		b := make([]byte, min(length, believedMax))
		if _, err := io.ReadFull(body, b); err != nil {
			return nil, asIncomplete(err)
		}
		if length > believedMax {
			b = append(make([]byte, 0, length), b...)[:length]
			if _, err := io.ReadFull(body, b[believedMax:]); err != nil {
				return nil, asIncomplete(err)
			}
		}
		return b, nil
	}
	b, err := io.ReadAll(io.LimitReader(body, BufferedMax+1))
	if err == nil && len(b) > BufferedMax {
		err = errBodyTooLarge()
	}
	return b, err
}

// asIncomplete makes a refusal of an end that came early.
func asIncomplete(err error) error {
	if err == io.ErrUnexpectedEOF || err == io.EOF {
		return errIncomplete()
	}
	return err
}

// Buffered is a body that is in memory already.
type Buffered struct {
	*bytes.Reader
	data []byte
}

// Bytes returns the whole body, which its reader may keep.
func (b *Buffered) Bytes() []byte { return b.data }

// Close does nothing.
func (b *Buffered) Close() error { return nil }

// sumReader fails at the end of the body if its hash is not the one that was signed.
type sumReader struct {
	body io.ReadCloser
	hash hash.Hash
	want string
	err  error // sticky
}

func (s *sumReader) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.body.Read(p)
	s.hash.Write(p[:n])
	if err == io.EOF {
		if got := hex.EncodeToString(s.hash.Sum(nil)); got != s.want {
			err = errPayloadMismatch(s.want, got)
		}
	}
	s.err = err
	return n, err
}

func (s *sumReader) Close() error { return s.body.Close() }

// installChunked decodes an aws-chunked body and gives the request the length, encoding and
// trailer that the decoded body has.
func installChunked(r *http.Request, s signed, key []byte) error {
	length, err := strconv.ParseUint(r.Header.Get("X-Amz-Decoded-Content-Length"), 10, 63)
	if err != nil {
		return &Error{Reason: NoDecodedLength, Msg: "You must provide the Content-Length HTTP header."}
	}
	var announced []string
	for name := range strings.SplitSeq(r.Header.Get("X-Amz-Trailer"), ",") {
		if name = strings.ToLower(strings.TrimSpace(name)); name != "" {
			announced = append(announced, name)
		}
	}
	r.Trailer = http.Header{}
	for _, name := range announced {
		r.Trailer[http.CanonicalHeaderKey(name)] = nil
	}
	body := r.Body
	if body == nil {
		body = http.NoBody
	}
	c := newChunkReader(body, int64(length), announced, r.Trailer)
	switch r.Header.Get("X-Amz-Content-Sha256") {
	case streamingSigned:
		c.chain = newChain(s, key)
	case streamingSignedTrailer:
		c.chain = newChain(s, key)
		c.signedTrailer = true
	}
	r.Body = c
	r.ContentLength = int64(length)
	r.TransferEncoding = nil
	stripChunkedEncoding(r.Header)
	return nil
}

// stripChunkedEncoding removes aws-chunked from Content-Encoding: it is not the object's.
func stripChunkedEncoding(h http.Header) {
	var left []string
	for _, v := range h.Values("Content-Encoding") {
		for e := range strings.SplitSeq(v, ",") {
			if e = strings.TrimSpace(e); e != "" && e != "aws-chunked" {
				left = append(left, e)
			}
		}
	}
	h.Del("Content-Encoding")
	if len(left) > 0 {
		h.Set("Content-Encoding", strings.Join(left, ","))
	}
}
