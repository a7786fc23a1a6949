package disk_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"strings"
	"time"

	"outcrop.dev/outcrop/data/blob"
	"outcrop.dev/outcrop/data/blob/disk"
)

// An object is put, and read back.
func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	ctx := context.Background()
	s, err := disk.Open(ctx, dir, disk.Options{Now: time.Now, Rand: rand.Reader, Log: slog.Default()})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()

	if err := s.CreateBucket(ctx, "notes", nil); err != nil {
		log.Fatal(err)
	}
	o, err := s.Put(ctx, "notes", "a/b.txt", blob.PutInput{Body: strings.NewReader("hello")})
	if err != nil {
		log.Fatal(err)
	}
	_, r, err := s.Open(ctx, "notes", "a/b.txt")
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	body, err := io.ReadAll(r)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(o.Size, o.ETag, string(body))
	// Output: 5 5d41402abc4b2a76b9719d911017c592 hello
}
