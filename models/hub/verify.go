package hub

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"

	"outcrop.dev/outcrop/internal/durable"
)

// verify compares the whole file with the hub's checksum. SHA-1 is what git names a blob by;
// it finds what a transfer has spoilt, and a forger would have to be the hub itself.
func (p *partFile) verify(ctx context.Context, f File) error {
	h, want := sha256.New(), f.SHA256
	if want == "" {
		h, want = gitBlob(f.Size), f.GitSHA1
	}
	if err := durable.Copy(ctx, h, io.NewSectionReader(p.out, 0, f.Size)); err != nil {
		return fmt.Errorf("read %s: %w", p.out.Name(), err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		return fmt.Errorf("its checksum is %s, and the hub says %s", got, want)
	}
	return nil
}

func gitBlob(size int64) hash.Hash {
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00", size)
	return h
}
