package sigv4

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

const (
	// chunkMin is the least size of a chunk that is not the last: AWS refuses smaller ones.
	chunkMin = 8192
	// chunkMax is the largest chunk: S3 takes no larger request body.
	chunkMax = 5 << 30
	// chunkLineMax bounds a chunk's first line and a trailer's lines. A signature takes 64
	// bytes, the longest checksum (SHA-512) 88.
	chunkLineMax = 512
	// trailerLinesMax bounds a trailer: one checksum and one signature are usual.
	trailerLinesMax = 8
)

// chunkReader decodes an aws-chunked body:
//
//	body    = *( size [";chunk-signature=" hex] CRLF data CRLF ) "0" [";chunk-signature=" hex] CRLF trailer CRLF
//	trailer = *( name ":" value CRLF ) [ "x-amz-trailer-signature:" hex CRLF ]
//
// Data is passed on as it comes; a chunk whose signature is wrong fails the read after its
// last byte, so a body that was read to io.EOF is whole and signed throughout.
type chunkReader struct {
	body          io.ReadCloser
	r             *bufio.Reader
	length        int64 // announced, decoded
	announced     []string
	trailer       http.Header
	chain         *chain // nil: chunks are not signed
	signedTrailer bool

	left  int64 // of the current chunk
	seen  int64
	index int  // of the current chunk, from 1
	small bool // the previous chunk was smaller than chunkMin
	err   error
}

func newChunkReader(body io.ReadCloser, length int64, announced []string, trailer http.Header) *chunkReader {
	return &chunkReader{body: body, r: bufio.NewReaderSize(body, 64<<10), length: length, announced: announced, trailer: trailer}
}

func (c *chunkReader) Close() error { return c.body.Close() }

func (c *chunkReader) Read(p []byte) (int, error) {
	if c.err != nil || len(p) == 0 {
		return 0, c.err
	}
	if c.left == 0 {
		if c.err = c.nextChunk(); c.err != nil {
			return 0, c.err
		}
	}
	if int64(len(p)) > c.left {
		p = p[:c.left]
	}
	n, err := c.r.Read(p)
	c.left -= int64(n)
	c.seen += int64(n)
	if c.chain != nil {
		c.chain.sum.Write(p[:n])
	}
	switch {
	case err != nil:
		c.err = eofIsIncomplete(err)
	case c.left == 0:
		c.err = c.endChunk()
	}
	return n, c.err
}

// nextChunk reads a chunk's first line. After the last chunk it returns io.EOF, or what is
// wrong with the end.
func (c *chunkReader) nextChunk() error {
	line, err := c.line()
	if err != nil {
		return err
	}
	size, signature, ok := strings.Cut(line, ";chunk-signature=")
	if ok != (c.chain != nil) || ok && len(signature) != 2*sha256.Size {
		return errIncomplete()
	}
	n, err := strconv.ParseUint(size, 16, 63)
	if err != nil || n > chunkMax {
		return errIncomplete()
	}
	c.index++
	if c.chain != nil {
		c.chain.begin(signature)
	}
	if n == 0 {
		return c.end()
	}
	if c.small {
		return &Error{Reason: BadChunk, Msg: "Only the last chunk is allowed to have a size less than 8192 bytes",
			Details: []Detail{{"Chunk", strconv.Itoa(c.index)}, {"BadChunkSize", strconv.FormatUint(n, 10)}}}
	}
	c.small = n < chunkMin
	c.left = int64(n)
	return nil
}

// endChunk reads the line end behind a chunk's data and checks its signature.
func (c *chunkReader) endChunk() error {
	if line, err := c.line(); err != nil || line != "" {
		return eofIsIncomplete(err)
	}
	if c.chain != nil {
		return c.chain.verify()
	}
	return nil
}

// end checks everything behind the last chunk's first line.
func (c *chunkReader) end() error {
	if c.chain != nil {
		if err := c.chain.verify(); err != nil {
			return err
		}
	}
	lines, err := c.trailerLines()
	if err != nil {
		return err
	}
	if _, err := c.r.ReadByte(); err != io.EOF {
		return eofIsIncomplete(err)
	}
	if c.seen != c.length {
		return errWrongLength()
	}
	if err := c.parseTrailer(lines); err != nil {
		return err
	}
	return io.EOF
}

// trailerLines reads up to the empty line. A signed trailer's own signature comes last; it
// is checked here and not returned.
func (c *chunkReader) trailerLines() ([]string, error) {
	var lines []string
	for {
		line, err := c.line()
		if err != nil {
			return nil, err
		}
		if line == "" {
			break
		}
		if lines = append(lines, line); len(lines) > trailerLinesMax {
			return nil, errIncomplete()
		}
	}
	if !c.signedTrailer {
		return lines, nil
	}
	if len(lines) == 0 {
		return nil, errBadTrailer()
	}
	last := lines[len(lines)-1]
	signature, ok := strings.CutPrefix(last, "x-amz-trailer-signature:")
	if !ok || len(signature) != 2*sha256.Size {
		return nil, errIncomplete()
	}
	lines = lines[:len(lines)-1]
	return lines, c.chain.verifyTrailer(lines, signature)
}

// parseTrailer fills the trailer: exactly the names that x-amz-trailer announced.
func (c *chunkReader) parseTrailer(lines []string) error {
	if len(lines) != len(c.announced) {
		return errBadTrailer()
	}
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		name = strings.ToLower(strings.TrimSpace(name))
		if !ok || !slices.Contains(c.announced, name) || c.trailer.Get(name) != "" {
			return errBadTrailer()
		}
		c.trailer.Set(name, strings.TrimSpace(value))
	}
	return nil
}

// line reads up to CRLF, which it drops.
func (c *chunkReader) line() (string, error) {
	var b []byte
	for len(b) <= chunkLineMax {
		x, err := c.r.ReadByte()
		if err != nil {
			return "", eofIsIncomplete(err)
		}
		b = append(b, x)
		if x == '\n' {
			if line, ok := bytes.CutSuffix(b, []byte("\r\n")); ok {
				return string(line), nil
			}
			break
		}
	}
	return "", errIncomplete()
}

func eofIsIncomplete(err error) error {
	if err == nil || err == io.EOF || err == io.ErrUnexpectedEOF {
		return errIncomplete()
	}
	return err
}

// chain verifies chunk signatures, each of which signs the one before.
type chain struct {
	s        signed
	key      []byte
	previous string
	claimed  string
	sum      hash.Hash // of the current chunk
}

func newChain(s signed, key []byte) *chain {
	return &chain{s: s, key: key, previous: s.signature, sum: sha256.New()}
}

func (c *chain) begin(signature string) {
	c.claimed = signature
	c.sum.Reset()
}

func (c *chain) verify() error {
	return c.check(fmt.Sprintf("AWS4-HMAC-SHA256-PAYLOAD\n%s\n%s\n%s\n%s\n%s", c.s.time.Format(timeFormat), c.s.scope,
		c.previous, emptySum, hex.EncodeToString(c.sum.Sum(nil))), c.claimed)
}

func (c *chain) verifyTrailer(lines []string, signature string) error {
	var text string
	for _, l := range lines {
		text += l + "\n"
	}
	sum := sha256.Sum256([]byte(text))
	return c.check(fmt.Sprintf("AWS4-HMAC-SHA256-TRAILER\n%s\n%s\n%s\n%s", c.s.time.Format(timeFormat), c.s.scope,
		c.previous, hex.EncodeToString(sum[:])), signature)
}

func (c *chain) check(toSign, claimed string) error {
	if !equalHex(sign(c.key, toSign), claimed) {
		s := c.s
		s.signature = claimed
		return errMismatch(s, toSign, "")
	}
	c.previous = claimed
	return nil
}
