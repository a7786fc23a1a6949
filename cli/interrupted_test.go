package cli

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/klauspost/compress/zstd"
	"github.com/rogpeppe/go-internal/testscript"

	"outcrop.dev/outcrop/internal/tinymodel"
)

// interrupted unpacks testdata/interrupted.tar.zst: interrupted DIR
//
// It is the data directory of an older program whose server and worker were killed. The job "done" has
// left the model that the throughput "prod" serves; the job "running", low-rank adapters of
// test.tiny-v1 for 380 steps, has a checkpoint of step 204. The archive leaves out what is the same
// in every directory: the embedded model, and the files of test.tiny-v1, which is tinymodel's.
func interrupted(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: interrupted DIR")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(unpack("testdata/interrupted.tar.zst", dir))
	tiny := filepath.Join(ts.MkAbs("."), "tiny")
	ts.Check(os.Mkdir(tiny, 0o755))
	ts.Check(tinymodel.Write(tiny))
	for _, name := range []string{"model.safetensors", "tokenizer.json", "README.md"} {
		ts.Check(os.Rename(filepath.Join(tiny, name), filepath.Join(dir, "foundation-models", "test.tiny-v1", name)))
	}
}

// unpack writes the files of a compressed archive below dir.
func unpack(archive, dir string) error {
	f, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := zstd.NewReader(f, zstd.WithDecoderMaxWindow(1<<24))
	if err != nil {
		return err
	}
	defer z.Close()
	for files := tar.NewReader(z); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = unpackOne(filepath.Join(dir, filepath.FromSlash(h.Name)), h, files)
		}
		if err != nil {
			return err
		}
	}
}

func unpackOne(path string, h *tar.Header, content io.Reader) error {
	if h.Typeflag == tar.TypeDir {
		return os.MkdirAll(path, 0o700)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	return errors.Join(err, f.Close())
}
