package attempt

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	"outcrop.dev/outcrop/internal/durable"
)

// Get opens an object: an input of the job or one of its artefacts. An input is copied into
// the scratch directory the first time and read from there ever after, so that an attempt
// that goes on after a crash sees the bytes that the first one saw, whatever has been
// uploaded since. CodeNotFound if the object is missing.
func (c *Client) Get(ctx context.Context, uri string) (io.ReadCloser, error) {
	defer c.Alive()
	path := filepath.Join(c.spec.ScratchDir, InputsDir, hexDigest([]byte(uri)))
	f, err := os.Open(path)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	if err := c.download(ctx, uri, path); err != nil {
		return nil, err
	}
	f, err = os.Open(path)
	if err == nil && !c.spec.Input(uri) {
		err = os.Remove(path) // stays readable through f
	}
	return f, err
}

func (c *Client) download(ctx context.Context, uri, path string) error {
	req := request{method: "GET", path: "object", query: url.Values{"uri": {uri}}}
	return c.link.call(ctx, c.options.Patience, req, func(resp *http.Response) error {
		var broken error // the connection's fault, not the disk's
		err := durable.WriteFile(path, 0o600, func(w io.Writer) error {
			return c.copyInput(w, uri, resp.Body, &broken)
		})
		if broken != nil {
			return absent{broken}
		}
		return err
	})
}

// copyInput is copyBody that compares an input with what was accepted.
func (c *Client) copyInput(w io.Writer, uri string, r io.Reader, broken *error) error {
	hash := sha256.New()
	if err := copyBody(io.MultiWriter(w, hash), r, broken); err != nil {
		return err
	}
	in, ok := c.spec.Accepted(uri)
	if sum := hex.EncodeToString(hash.Sum(nil)); ok && sum != in.SHA256 {
		return fmt.Errorf("%s has the SHA-256 %s, and was accepted with %s", uri, sum, in.SHA256)
	}
	return nil
}

// copyBody copies r to w and notes an error of reading in broken.
func copyBody(w io.Writer, r io.Reader, broken *error) error {
	_, err := io.Copy(w, readerFunc(func(p []byte) (int, error) {
		n, err := r.Read(p)
		if err != nil && err != io.EOF {
			*broken = err
		}
		return n, err
	}))
	return err
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// prepareScratch makes the directory for inputs, and removes the halves of downloads that
// were cut off by a crash.
func (c *Client) prepareScratch() error {
	dir := filepath.Join(c.spec.ScratchDir, InputsDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	halves, err := filepath.Glob(filepath.Join(dir, "*"+durable.TempSuffix))
	if err != nil {
		return nil // a directory whose name is a bad pattern: they stay until the job ends
	}
	for _, half := range halves {
		err = errors.Join(err, os.Remove(half))
	}
	return err
}
