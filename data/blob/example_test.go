package blob_test

import (
	"fmt"

	"outcrop.dev/outcrop/data/blob"
)

// A checksum as S3 writes it.
func Example() {
	h := blob.CRC32.New()
	h.Write([]byte("123456789"))
	fmt.Println(blob.Encode(h.Sum(nil)))
	// Output: y/Q5Jg==
}
