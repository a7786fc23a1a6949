package blob

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"strconv"

	"github.com/cespare/xxhash/v2"
	"github.com/zeebo/xxh3"
)

// Algorithm names a checksum as S3 does.
type Algorithm string

// The algorithms of S3.
const (
	CRC32     Algorithm = "CRC32"
	CRC32C    Algorithm = "CRC32C"
	CRC64NVME Algorithm = "CRC64NVME"
	SHA1      Algorithm = "SHA1"
	SHA256    Algorithm = "SHA256"
	SHA512    Algorithm = "SHA512"
	MD5       Algorithm = "MD5"
	XXHASH64  Algorithm = "XXHASH64"
	XXHASH3   Algorithm = "XXHASH3"
	XXHASH128 Algorithm = "XXHASH128"
)

// Algorithms lists them all.
var Algorithms = []Algorithm{CRC32, CRC32C, CRC64NVME, SHA1, SHA256, SHA512, MD5, XXHASH64, XXHASH3, XXHASH128}

// ChecksumType says what a multipart object's checksum is of.
type ChecksumType string

const (
	// FullObject is the checksum of the object's bytes.
	FullObject ChecksumType = "FULL_OBJECT"
	// Composite is the checksum of the parts' checksums, followed by "-" and their number.
	Composite ChecksumType = "COMPOSITE"
)

// Checksum is a checksum as S3 writes it: base64, and "-N" if composite.
type Checksum struct {
	Algorithm Algorithm
	Type      ChecksumType
	Value     string
}

// The polynomials, reflected. CRC-64/NVME is that of the NVM Express specification.
var (
	tableCRC32C    = crc32.MakeTable(crc32.Castagnoli)
	tableCRC64NVME = crc64.MakeTable(polyCRC64NVME)
)

const polyCRC64NVME = 0x9a6c9329ac4bc9b5

// New returns a new hash. It panics for an algorithm that is not in Algorithms.
func (a Algorithm) New() hash.Hash {
	switch a {
	case CRC32:
		return crc32.NewIEEE()
	case CRC32C:
		return crc32.New(tableCRC32C)
	case CRC64NVME:
		return crc64.New(tableCRC64NVME)
	case SHA1:
		return sha1.New()
	case SHA256:
		return sha256.New()
	case SHA512:
		return sha512.New()
	case MD5:
		return md5.New()
	case XXHASH64:
		return xxhash.New()
	case XXHASH3:
		return xxh3.New()
	case XXHASH128:
		return xxh128{xxh3.New()}
	}
	panic("blob: unknown checksum algorithm " + strconv.Quote(string(a)))
}

// xxh128 makes a hash.Hash of the 128-bit form of XXH3.
type xxh128 struct{ *xxh3.Hasher }

func (x xxh128) Size() int { return 16 }

func (x xxh128) Sum(b []byte) []byte {
	sum := x.Sum128().Bytes()
	return append(b, sum[:]...)
}

// Size returns the length of a digest in bytes.
func (a Algorithm) Size() int { return a.New().Size() }

// Linear reports whether checksums of parts can be combined into that of the whole.
func (a Algorithm) Linear() bool { return a == CRC32 || a == CRC32C || a == CRC64NVME }

// Encode returns a digest as S3 writes it.
func Encode(sum []byte) string { return base64.StdEncoding.EncodeToString(sum) }

// Decode returns the digest that s encodes; ok is false if s is none of algorithm a.
func (a Algorithm) Decode(s string) (sum []byte, ok bool) {
	sum, err := base64.StdEncoding.Strict().DecodeString(s)
	return sum, err == nil && len(sum) == a.Size()
}

// JoinETags returns the tag of an object made of parts: the MD5 of their MD5s, and their
// number. Error: a part's tag is not hexadecimal.
func JoinETags(parts []Part) (string, error) {
	h := md5.New()
	for _, p := range parts {
		b, err := hex.DecodeString(p.ETag)
		if err != nil {
			return "", fmt.Errorf("tag of part %d: %w", p.Number, err)
		}
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil)) + "-" + strconv.Itoa(len(parts)), nil
}

// JoinChecksums returns the checksum of an object made of parts, which all must have one of
// algorithm c. ok is false if one has none, or if whole objects have no such checksum.
func JoinChecksums(c Checksum, parts []Part) (joined Checksum, ok bool) {
	sums := make([][]byte, len(parts))
	for i, p := range parts {
		if sums[i], ok = c.Algorithm.Decode(p.Checksum.Value); !ok || p.Checksum.Algorithm != c.Algorithm {
			return Checksum{}, false
		}
	}
	if c.Type == Composite {
		h := c.Algorithm.New()
		for _, s := range sums {
			h.Write(s)
		}
		c.Value = Encode(h.Sum(nil)) + "-" + strconv.Itoa(len(parts))
		return c, true
	}
	if !c.Algorithm.Linear() {
		return Checksum{}, false
	}
	c.Value = Encode(combineAll(c.Algorithm, sums, parts))
	return c, true
}
