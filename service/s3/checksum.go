package s3

import (
	"net/http"
	"strings"

	"outcrop.dev/outcrop/blob"
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

// checksum returns the one that x holds, if any.
func (x *xmlChecksum) checksum() blob.Checksum {
	for _, a := range blob.Algorithms {
		if v := *x.field(a); v != "" {
			return blob.Checksum{Algorithm: a, Value: v}
		}
	}
	return blob.Checksum{}
}

// uploadChecksum reads the algorithm and type that an upload shall have.
func (c *call) uploadChecksum() (s blob.Checksum, err error) {
	name, kind := c.header("X-Amz-Checksum-Algorithm"), c.header("X-Amz-Checksum-Type")
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
	switch s.Type = blob.ChecksumType(kind); s.Type {
	case "":
		s.Type = blob.Composite
		if s.Algorithm == blob.CRC64NVME {
			s.Type = blob.FullObject
		}
	case blob.FullObject, blob.Composite:
	default:
		return s, errInvalidRequest("Value for x-amz-checksum-type header is invalid.")
	}
	if s.Type == blob.FullObject && !s.Algorithm.Linear() || s.Type == blob.Composite && s.Algorithm == blob.CRC64NVME {
		return s, errInvalidRequest("The " + string(s.Type) + " checksum type cannot be used with the " + strings.ToLower(string(s.Algorithm)) + " checksum algorithm.")
	}
	return s, nil
}
