package attempt

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
)

// Signer makes and checks workers' tokens. A token names its attempt, so no table of them
// is kept and they stay valid over a restart of the server; they end with the attempt,
// because a fenced attempt is refused whatever it holds.
type Signer struct{ key []byte }

// KeyBytes is the length of a signer's key.
const KeyBytes = 32

// NewSigner returns a signer with a secret key of KeyBytes random bytes, which the server
// keeps in its data directory. It panics if key has another length.
func NewSigner(key []byte) Signer {
	if len(key) != KeyBytes {
		panic("attempt: a signer's key has the wrong length")
	}
	return Signer{key: key}
}

const tokenVersion = "v1" // token: v1.{id}.{mac}, both base64url

// Token returns the token that authorises id.
func (s Signer) Token(id ID) string {
	b, err := json.Marshal(id)
	if err != nil {
		panic(err) // a string and a number always marshal
	}
	body := tokenVersion + "." + base64.RawURLEncoding.EncodeToString(b)
	return body + "." + base64.RawURLEncoding.EncodeToString(s.mac(body))
}

// Check returns the attempt that token authorises; ok is false if Token did not make it.
// It compares in constant time.
func (s Signer) Check(token string) (id ID, ok bool) {
	i := strings.LastIndexByte(token, '.')
	if i < 0 || len(token) > tokenBytesMax {
		return ID{}, false
	}
	mac, err := base64.RawURLEncoding.Strict().DecodeString(token[i+1:])
	if err != nil || !hmac.Equal(mac, s.mac(token[:i])) {
		return ID{}, false
	}
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token[:i], tokenVersion+"."))
	if err != nil || json.Unmarshal(b, &id) != nil {
		return ID{}, false
	}
	return id, true
}

// tokenBytesMax is generous: an ARN has at most 1,011 characters.
const tokenBytesMax = 4096

func (s Signer) mac(body string) []byte {
	h := hmac.New(sha256.New, s.key)
	h.Write([]byte("outcrop attempt "))
	h.Write([]byte(body))
	return h.Sum(nil)
}
