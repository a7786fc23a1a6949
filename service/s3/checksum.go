package s3

import (
	"net/http"
	"strings"

	"outcrop.dev/outcrop/data/blob"
)

var errAlgorithm = apiError("InvalidRequest", http.StatusBadRequest, "Checksum algorithm provided is unsupported. Please try again with any of "+
	"the valid types: [CRC32, CRC32C, CRC64NVME, MD5, SHA1, SHA256, SHA512, XXHASH128, XXHASH3, XXHASH64]")

// xmlChecksum is a checksum as S3's documents hold it.
type xmlChecksum struct {
	ChecksumCRC32     string `xml:",omitempty"`
	ChecksumCRC32C    string `xml:",omitempty"`
	ChecksumCRC64NVME string `xml:",omitempty"`
	ChecksumSHA1      string `xml:",omitempty"`
	ChecksumSHA256    string `xml:",omitempty"`
	ChecksumSHA512    string `xml:",omitempty"`
	ChecksumMD5       string `xml:",omitempty"`
	ChecksumXXHASH64  string `xml:",omitempty"`
	ChecksumXXHASH3   string `xml:",omitempty"`
	ChecksumXXHASH128 string `xml:",omitempty"`
	ChecksumType      string `xml:",omitempty"`
}

// field returns the element of an algorithm.
func (x *xmlChecksum) field(a blob.Algorithm) *string {
	switch a {
	case blob.CRC32:
		return &x.ChecksumCRC32
	case blob.CRC32C:
		return &x.ChecksumCRC32C
	case blob.CRC64NVME:
		return &x.ChecksumCRC64NVME
	case blob.SHA1:
		return &x.ChecksumSHA1
	case blob.SHA256:
		return &x.ChecksumSHA256
	case blob.SHA512:
		return &x.ChecksumSHA512
	case blob.MD5:
		return &x.ChecksumMD5
	case blob.XXHASH64:
		return &x.ChecksumXXHASH64
	case blob.XXHASH3:
		return &x.ChecksumXXHASH3
	case blob.XXHASH128:
		return &x.ChecksumXXHASH128
	}
	return new(string)
}

func checksumElements(s blob.Checksum) (x xmlChecksum) {
	*x.field(s.Algorithm) = s.Value
	if s.Value != "" {
		x.ChecksumType = string(s.Type)
	}
	return x
}

// checksum returns the one that x holds, if any. value is what is wrong with x if ok is false:
// several checksums, or not base64.
func (x *xmlChecksum) checksum() (sum blob.Checksum, value string, ok bool) {
	var all string
	n := 0
	for _, a := range blob.Algorithms {
		if v := *x.field(a); v != "" {
			sum = blob.Checksum{Algorithm: a, Value: v}
			all += string(a) + ":" + v + ";"
			n++
		}
	}
	if n > 1 {
		return sum, all, false
	}
	if n == 1 {
		_, ok = sum.Algorithm.Decode(sum.Value)
		return sum, sum.Value, ok
	}
	return sum, "", true
}

// checksumType reads x-amz-checksum-type, which may be in lower case.
func (c *call) checksumType() (blob.ChecksumType, error) {
	switch t := blob.ChecksumType(strings.ToUpper(c.header("X-Amz-Checksum-Type"))); t {
	case "", blob.FullObject, blob.Composite:
		return t, nil
	}
	return "", errInvalidRequest("Value for x-amz-checksum-type header is invalid.")
}

// uploadChecksum reads the algorithm and type that an upload shall have.
func (c *call) uploadChecksum() (s blob.Checksum, err error) {
	name := c.header("X-Amz-Checksum-Algorithm")
	kind, err := c.checksumType()
	if err != nil {
		return s, err
	}
	if name == "" {
		if kind != "" {
			return s, errInvalidRequest("The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.")
		}
		return s, nil
	}
	var ok bool
	if s.Algorithm, ok = parseAlgorithm(name); !ok {
		return s, errAlgorithm
	}
	if s.Type = kind; kind == "" {
		s.Type = blob.Composite
		if s.Algorithm == blob.CRC64NVME {
			s.Type = blob.FullObject
		}
	}
	if s.Type == blob.FullObject && !s.Algorithm.Linear() || s.Type == blob.Composite && s.Algorithm == blob.CRC64NVME {
		return s, errInvalidRequest("The " + string(s.Type) + " checksum type cannot be used with the " + strings.ToLower(string(s.Algorithm)) + " checksum algorithm.")
	}
	return s, nil
}
