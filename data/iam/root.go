// Package iam knows who may call: access keys and the principals behind them.
//
// There is one principal so far, the root user of the data directory's account. It knows
// no protocol: signatures are package wire/sigv4's, the decision which error a client sees
// is package server's.
package iam

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"outcrop.dev/outcrop/internal/durable"
)

// A Key is an access key of a principal.
type Key struct {
	AccessKeyID     string
	SecretAccessKey string
}

// KeyFile is the name of the file, inside the data directory, that holds the root key.
const KeyFile = "root-credentials.json"

// The shape of generated keys: AWS's access key ids are AKIA and 16 of base 32 (80 bits),
// its secrets 40 characters of base 64 (240 bits). Clients and log scrubbers know the form.
const (
	keyIDPrefix  = "AKIA"
	keyIDBytes   = 10
	secretBytes  = 30
	keyFileMode  = 0o600
	minSecretLen = 8
)

// LoadRoot returns the root key: fromEnv if it is complete, else the one in dir, which is
// generated and stored on the first call. It fails if fromEnv has only one half, or if the
// stored file can be read by other users.
func LoadRoot(dir string, fromEnv Key) (Key, error) {
	switch {
	case fromEnv.AccessKeyID != "" && fromEnv.SecretAccessKey != "":
		return fromEnv, checkKey(fromEnv)
	case fromEnv.AccessKeyID != "" || fromEnv.SecretAccessKey != "":
		return Key{}, errors.New("set both OUTCROP_ROOT_ACCESS_KEY_ID and OUTCROP_ROOT_SECRET_ACCESS_KEY, or neither")
	}
	key, err := ReadRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return generateRoot(dir)
	}
	return key, err
}

// ReadRoot returns the root key stored in dir. fs.ErrNotExist if there is none.
func ReadRoot(dir string) (Key, error) {
	path := filepath.Join(dir, KeyFile)
	info, err := os.Stat(path)
	if err != nil {
		return Key{}, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return Key{}, fmt.Errorf("%s can be read by other users: run chmod 600 on it, or delete it to have a new key made", path)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return Key{}, err
	}
	var key Key
	if err := json.Unmarshal(b, &key); err != nil {
		return Key{}, fmt.Errorf("read %s: %w", path, err)
	}
	return key, checkKey(key)
}

func generateRoot(dir string) (Key, error) {
	random := make([]byte, keyIDBytes+secretBytes)
	rand.Read(random) // never fails (crypto/rand)
	key := Key{
		AccessKeyID:     keyIDPrefix + base32.StdEncoding.EncodeToString(random[:keyIDBytes]),
		SecretAccessKey: base64.StdEncoding.EncodeToString(random[keyIDBytes:]),
	}
	b, err := json.MarshalIndent(key, "", "  ")
	if err != nil {
		return Key{}, err
	}
	return key, durable.WriteBytes(filepath.Join(dir, KeyFile), keyFileMode, append(b, '\n'))
}

// checkKey refuses keys that SDKs cannot send: the id stands between slashes and commas in
// the Authorization header.
func checkKey(k Key) error {
	if k.AccessKeyID == "" || strings.ContainsAny(k.AccessKeyID, " /,=\t\r\n") {
		return fmt.Errorf("the root access key id %q is empty or has a space, slash, comma or equals sign", k.AccessKeyID)
	}
	if len(k.SecretAccessKey) < minSecretLen {
		return fmt.Errorf("the root secret access key is shorter than %d characters", minSecretLen)
	}
	return nil
}
