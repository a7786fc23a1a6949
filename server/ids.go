package server

import (
	"crypto/rand"
	"encoding/hex"
)

// idAlphabet and idLength are the form of Bedrock's ids in ARNs: [a-z0-9]{12}.
const (
	idAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789"
	idLength   = 12
)

// newID makes a resource id: 62 bits, so that a million resources collide with a
// probability of one in ten million, and the store would refuse the second.
func newID() string {
	id := make([]byte, 0, idLength)
	var random [2 * idLength]byte
	for len(id) < idLength {
		rand.Read(random[:]) // never fails (crypto/rand)
		for _, b := range random {
			// 252 is the largest multiple of 36 in a byte: each character is equally likely.
			if b < 252 && len(id) < idLength {
				id = append(id, idAlphabet[int(b)%len(idAlphabet)])
			}
		}
	}
	return string(id)
}

// newRequestID makes a version 4 UUID (RFC 9562 §5.4), as AWS's request ids are.
func newRequestID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6] = b[6]&0x0F | 0x40
	b[8] = b[8]&0x3F | 0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// newSeed draws the seed of a generation whose caller names none.
func newSeed() uint64 {
	var b [8]byte
	rand.Read(b[:])
	var n uint64
	for _, x := range b {
		n = n<<8 | uint64(x)
	}
	return n
}
