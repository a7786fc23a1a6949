package server_test

import (
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/bedrock"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"outcrop.dev/outcrop/internal/lost"
	"outcrop.dev/outcrop/internal/reserve"
	"outcrop.dev/outcrop/internal/sums"
	"outcrop.dev/outcrop/server"
)

// Whoever removes any one file of a stopped data directory loses that file and nothing else: the
// server either does not start, and names the file, or has all the rest; nothing is deleted, and
// nothing is moved away.
func TestRemoveAnyFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tuned(t, dir)
	stop := run(t, dir, func(s *server.Server) {
		c := s3.NewFromConfig(config(s, s.RootKey(), http1()))
		if _, err := c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("bucket")}); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"a", "b", "c"} {
			if _, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("bucket"), Key: aws.String(key), Body: strings.NewReader("body of " + key)}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := c.CopyObject(t.Context(), &s3.CopyObjectInput{Bucket: aws.String("bucket"), Key: aws.String("copy"), CopySource: aws.String("bucket/a")}); err != nil {
			t.Fatal(err)
		}
	})
	if stop != nil {
		t.Fatal(stop)
	}
	files := allFiles(t, dir)
	if len(files) < 20 {
		t.Fatalf("only %d files: %q", len(files), files)
	}
	for _, file := range files {
		t.Run(strings.ReplaceAll(file, "/", "_"), func(t *testing.T) {
			t.Parallel()
			removed := filepath.Join(t.TempDir(), "d")
			copyDir(t, removed, dir, file)
			err := run(t, removed, func(s *server.Server) { checkRest(t, s, file) })
			if err != nil && !strings.Contains(err.Error(), filepath.Join(removed, file)) {
				t.Errorf("the server does not start, and does not say why: %v", err)
			}
			left := map[string]bool{}
			for _, f := range allFiles(t, removed) {
				left[f] = true
			}
			for _, f := range files {
				if f != file && !left[f] && filepath.Base(f) != sums.File { // which is made anew with the embedded model
					t.Errorf("%s is gone, too", f)
				}
			}
			for _, folder := range server.LostFolders(removed) {
				if items, err := lost.List(folder); err != nil || len(items) > 0 {
					t.Errorf("lost+found: %v, %v", items, err)
				}
			}
		})
	}
}

// run starts a server, calls use, and stops it. It returns why the server does not start.
func run(t *testing.T, dir string, use func(*server.Server)) error {
	t.Helper()
	s, err := server.New(t.Context(), server.Config{DataDir: dir, Listen: "127.0.0.1:0", Threads: 1})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}()
	use(s)
	return nil
}

// checkRest wants all objects but those whose bytes were removed, and all rows.
func checkRest(t *testing.T, s *server.Server, removed string) {
	t.Helper()
	cfg := config(s, s.RootKey(), http1())
	c := s3.NewFromConfig(cfg)
	missing := 0
	for key, body := range map[string]string{"a": "body of a", "b": "body of b", "c": "body of c", "copy": "body of a"} {
		out, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: aws.String(key)})
		if err != nil {
			missing++
			continue
		}
		got, err := io.ReadAll(out.Body)
		out.Body.Close()
		if err != nil || string(got) != body {
			t.Errorf("%s: %q, %v", key, got, err)
		}
	}
	content := strings.HasPrefix(removed, filepath.Join("s3", "data"))
	if missing > 2 || missing > 0 && !content {
		t.Errorf("%d objects are missing", missing)
	}
	list, err := bedrock.NewFromConfig(cfg).ListCustomModels(t.Context(), &bedrock.ListCustomModelsInput{})
	if err != nil || len(list.ModelSummaries) != 1 {
		t.Errorf("models: %+v, %v", list, err)
	}
}

func allFiles(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			files = append(files, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// copyDir copies a data directory but for one file. Weights are never changed in place, and are
// linked.
func copyDir(t *testing.T, to, from, without string) {
	t.Helper()
	for _, file := range allFiles(t, from) {
		if file == without || file == reserve.File { // made anew
			continue
		}
		source, target := filepath.Join(from, file), filepath.Join(to, file)
		err := os.MkdirAll(filepath.Dir(target), 0o700)
		if err == nil && filepath.Ext(file) == ".safetensors" {
			err = os.Link(source, target)
		} else if err == nil {
			var b []byte
			if b, err = os.ReadFile(source); err == nil {
				err = os.WriteFile(target, b, 0o600)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
