package model

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"outcrop.dev/outcrop/format/safetensors"
	"outcrop.dev/outcrop/internal/durable"
)

// BaseFile is the name of the file that says, in the directory of an adapter, which model it
// belongs to. It holds no path: the model may be elsewhere on another machine.
const BaseFile = "base.json"

// Base names the model that an adapter belongs to.
type Base struct {
	ModelID string `json:"baseModelId"` // as the one who trained the adapter called it
	SHA256  string `json:"sha256"`      // WeightsDigest of its directory
}

// baseBytesMax is many times what a Base takes.
const baseBytesMax = 1 << 16

var digestForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// ReadBase reads the Base of the adapter in dir. The error is fs.ErrNotExist for a directory
// without one, which is of a whole model, and otherwise says what is wrong with the file.
func ReadBase(dir string) (Base, error) {
	f, err := os.Open(filepath.Join(dir, BaseFile))
	if err != nil {
		return Base{}, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, baseBytesMax+1))
	if err != nil {
		return Base{}, err
	}
	var b Base
	if len(content) > baseBytesMax {
		return Base{}, fmt.Errorf("%s: longer than %d bytes", f.Name(), baseBytesMax)
	}
	if err := json.Unmarshal(content, &b); err != nil {
		return Base{}, fmt.Errorf("%s: %w", f.Name(), err)
	}
	if b.ModelID == "" || !digestForm.MatchString(b.SHA256) {
		return Base{}, fmt.Errorf("%s: baseModelId or sha256 is missing or malformed", f.Name())
	}
	return b, nil
}

// Write makes b durable in the directory of an adapter.
func (b Base) Write(dir string) error {
	content, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return err
	}
	return durable.WriteBytes(filepath.Join(dir, BaseFile), 0o644, append(content, '\n'))
}

// Check returns an error if the model in dir has other weights than the adapter was trained on.
// It reads all of them.
func (b Base) Check(dir string) error {
	digest, err := WeightsDigest(dir)
	if err != nil {
		return err
	}
	return b.Fits(digest)
}

// Fits returns an error if digest, a WeightsDigest, is not that of the weights that the adapter
// was trained on.
func (b Base) Fits(digest string) error {
	if digest != b.SHA256 {
		return fmt.Errorf("the adapter was trained on %s with weights of SHA-256 %s, and those of the base model that is here have %s", b.ModelID, b.SHA256, digest)
	}
	return nil
}

// WeightsDigest returns the SHA-256, in hex, of the weights of the model in dir: of all its
// safetensors files one after another, in the order of their names. Of a model in one file it is
// what sha256sum prints. It reads all of them.
func WeightsDigest(dir string) (string, error) {
	entries, err := os.ReadDir(dir) // sorted
	if err != nil {
		return "", err
	}
	h, files := sha256.New(), 0
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), safetensors.Suffix) {
			continue
		}
		if err := digestInto(h, filepath.Join(dir, e.Name())); err != nil {
			return "", err
		}
		files++
	}
	if files == 0 {
		return "", fmt.Errorf("%s holds no weights: %w", dir, fs.ErrNotExist)
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}

func digestInto(h io.Writer, path string) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = io.Copy(h, f)
	return err
}
