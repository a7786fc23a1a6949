// Package eventstream reads and writes application/vnd.amazon.eventstream, the framing in
// which AWS streams answers. It knows no service and no payload.
//
// One frame carries one message. Integers are big endian; both checksums are CRC-32 (IEEE):
//
//	+-------------+---------------+--------------+---------+---------+-------------+
//	| total bytes | headers bytes | CRC of these | headers | payload | CRC of all  |
//	|     u32     |      u32      |  8 bytes u32 |         |         | before, u32 |
//	+-------------+---------------+--------------+---------+---------+-------------+
//
// and a header is
//
//	+------------+------+--------+-------------+-------+
//	| name bytes | name | type 7 | value bytes | value |
//	|     u8     |      |   u8   |     u16     |       |
//	+------------+------+--------+-------------+-------+
//
// Type 7 is a string, the only type that the services use. The layout is that of
// aws-sdk-go-v2/aws/protocol/eventstream, against which the tests compare byte for byte.
package eventstream

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"
)

// ContentType is the media type of a stream of frames.
const ContentType = "application/vnd.amazon.eventstream"

// What clients accept: botocore refuses longer headers and payloads (botocore/eventstream.py),
// and lengths of names and values are limited by their length fields, values to 2^15-1 by
// the SDK for Go.
const (
	HeaderNameBytesMax  = math.MaxUint8
	HeaderValueBytesMax = math.MaxInt16
	HeadersBytesMax     = 128 << 10
	PayloadBytesMax     = 24 << 20
)

const (
	preludeBytes = 12 // two lengths and their checksum
	trailerBytes = 4  // the checksum of all before
	frameBytes   = preludeBytes + trailerBytes
	typeString   = 7
)

// Header is a string header of a message, such as :event-type.
type Header struct{ Name, Value string }

// Message is what one frame carries.
type Message struct {
	Headers []Header
	Payload []byte
}

// Header returns the value of the first header of that name, "" if there is none.
func (m Message) Header(name string) string {
	for _, h := range m.Headers {
		if h.Name == name {
			return h.Value
		}
	}
	return ""
}

// Append appends the frame of m to dst. It fails, and returns dst as it was, if a header or
// the payload is longer than clients accept.
func Append(dst []byte, m Message) ([]byte, error) {
	headers, err := headersLen(m)
	if err != nil {
		return dst, err
	}
	if len(m.Payload) > PayloadBytesMax {
		return dst, fmt.Errorf("event stream payload of %d bytes: the limit is %d", len(m.Payload), PayloadBytesMax)
	}
	start := len(dst)
	dst = binary.BigEndian.AppendUint32(dst, uint32(frameBytes+headers+len(m.Payload)))
	dst = binary.BigEndian.AppendUint32(dst, uint32(headers))
	dst = binary.BigEndian.AppendUint32(dst, crc32.ChecksumIEEE(dst[start:]))
	for _, h := range m.Headers {
		dst = append(dst, byte(len(h.Name)))
		dst = append(dst, h.Name...)
		dst = append(dst, typeString)
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(h.Value)))
		dst = append(dst, h.Value...)
	}
	dst = append(dst, m.Payload...)
	return binary.BigEndian.AppendUint32(dst, crc32.ChecksumIEEE(dst[start:])), nil
}

// headersLen returns the encoded length of the headers of m.
func headersLen(m Message) (int, error) {
	n := 0
	for _, h := range m.Headers {
		if len(h.Name) == 0 || len(h.Name) > HeaderNameBytesMax {
			return 0, fmt.Errorf("event stream header name of %d bytes: it must have 1 to %d", len(h.Name), HeaderNameBytesMax)
		}
		if len(h.Value) > HeaderValueBytesMax {
			return 0, fmt.Errorf("event stream header %s of %d bytes: the limit is %d", h.Name, len(h.Value), HeaderValueBytesMax)
		}
		n += 4 + len(h.Name) + len(h.Value)
	}
	if n > HeadersBytesMax {
		return 0, fmt.Errorf("event stream headers of %d bytes: the limit is %d", n, HeadersBytesMax)
	}
	return n, nil
}

// Read reads one frame from r. It returns io.EOF if r ends before a frame begins, and
// io.ErrUnexpectedEOF inside one. Nothing is allocated on the word of a length that the
// checksum of the prelude does not confirm or that is over the limits.
func Read(r io.Reader) (Message, error) {
	var prelude [preludeBytes]byte
	if _, err := io.ReadFull(r, prelude[:]); err != nil {
		return Message{}, err
	}
	total := int64(binary.BigEndian.Uint32(prelude[:]))
	headers := int64(binary.BigEndian.Uint32(prelude[4:]))
	if got, want := crc32.ChecksumIEEE(prelude[:8]), binary.BigEndian.Uint32(prelude[8:]); got != want {
		return Message{}, fmt.Errorf("event stream prelude has checksum %08x, not %08x", got, want)
	}
	payload := total - headers - frameBytes
	if headers > HeadersBytesMax || payload < 0 || payload > PayloadBytesMax {
		return Message{}, fmt.Errorf("event stream frame of %d bytes with %d of headers is not possible", total, headers)
	}
	rest := make([]byte, total-preludeBytes)
	if _, err := io.ReadFull(r, rest); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return Message{}, err
	}
	body, trailer := rest[:len(rest)-trailerBytes], rest[len(rest)-trailerBytes:]
	sum := crc32.Update(crc32.ChecksumIEEE(prelude[:]), crc32.IEEETable, body)
	if want := binary.BigEndian.Uint32(trailer); sum != want {
		return Message{}, fmt.Errorf("event stream frame has checksum %08x, not %08x", sum, want)
	}
	hs, err := readHeaders(body[:headers])
	return Message{Headers: hs, Payload: body[headers:]}, err
}

// readHeaders decodes the headers that fill b.
func readHeaders(b []byte) ([]Header, error) {
	var hs []Header
	for len(b) > 0 {
		name, rest, ok := cut(b[1:], int(b[0]))
		if !ok || len(name) == 0 || len(rest) < 3 {
			return nil, fmt.Errorf("event stream header %d is cut off", len(hs)+1)
		}
		if rest[0] != typeString {
			return nil, fmt.Errorf("event stream header %q has type %d: only strings (%d) are used", name, rest[0], typeString)
		}
		n := int(binary.BigEndian.Uint16(rest[1:]))
		value, next, ok := cut(rest[3:], n)
		if !ok || n > HeaderValueBytesMax {
			return nil, fmt.Errorf("event stream header %q says its value has %d bytes; it has %d", name, n, len(rest)-3)
		}
		hs = append(hs, Header{string(name), string(value)})
		b = next
	}
	return hs, nil
}

// cut splits b after n bytes; ok is false if b is shorter.
func cut(b []byte, n int) (head, tail []byte, ok bool) {
	if n > len(b) {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}
