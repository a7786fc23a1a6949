package attempt

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"outcrop.dev/outcrop/internal/durable"
)

// ManifestFile is the name of a model directory's manifest, which is written last.
const ManifestFile = "manifest.json"

// Limits of a manifest. A sharded model of a trillion parameters has some hundred files.
const (
	manifestFilesMax = 10_000
	manifestBytesMax = 4 << 20
)

// Manifest names every file of a model directory but itself, ordered by path. Its file is written
// by Seal and read by Verify:
//
//	DIR/                              DIR/manifest.json
//	├─ config.json                    {
//	├─ model.safetensors                "version": 1,
//	├─ …                                "files": [
//	│                                     {"path": "config.json", "size": 538, "sha256": "<64 hex digits>"},
//	│                                     {"path": "model.safetensors", "size": 13847392, "sha256": "<64 hex digits>"},
//	│                                     …]
//	└─ manifest.json                  }
//	       │
//	       └─ SHA-256 of its bytes ──→ Result.Manifest, the digest that Verify asks for
//
// It is indented by tabs, a field a line, and ends with a newline. Paths have slashes and may lead
// through directories; other kinds of files cannot be sealed. Reading refuses unknown fields, other
// versions and more than manifestBytesMax bytes. A directory without a manifest is not finished.
//
// Two other files have this name and another form: the list of a job's artefacts (package engine/customize) and
// the sums of a checkpoint (package train).
type Manifest struct {
	Version int            `json:"version"` // 1
	Files   []ManifestItem `json:"files"`
}

// ManifestItem is one file: its path with slashes, its size, its SHA-256 in hex.
type ManifestItem struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Seal makes a model directory's files durable and writes its manifest last. It returns
// the manifest's own SHA-256 in hex, by which Verify knows that it is the same model.
func Seal(dir string) (digest string, err error) {
	if err := os.Remove(filepath.Join(dir, ManifestFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	items, err := scan(dir)
	if err != nil {
		return "", fmt.Errorf("seal %s: %w", dir, err)
	}
	if len(items) == 0 {
		return "", fmt.Errorf("seal %s: it has no files", dir)
	}
	if err := durable.SyncTree(dir); err != nil {
		return "", err
	}
	b, err := json.MarshalIndent(Manifest{Version: 1, Files: items}, "", "\t")
	if err != nil {
		return "", err
	}
	b = append(b, '\n')
	if err := durable.WriteBytes(filepath.Join(dir, ManifestFile), 0o644, b); err != nil {
		return "", err
	}
	return hexDigest(b), nil
}

// Verify reads every file of a sealed directory and returns an error that names the first
// one that is missing, changed, or not in the manifest. digest is Seal's.
func Verify(dir, digest string) error {
	m, b, err := readManifest(dir)
	if err != nil {
		return fmt.Errorf("verify %s: %w", dir, err)
	}
	if got := hexDigest(b); got != digest {
		return fmt.Errorf("verify %s: the manifest has SHA-256 %s, not %s", dir, got, digest)
	}
	items, err := scan(dir)
	if err != nil {
		return fmt.Errorf("verify %s: %w", dir, err)
	}
	for i := range max(len(items), len(m.Files)) {
		switch {
		case i >= len(items):
			return fmt.Errorf("verify %s: %s is missing", dir, m.Files[i].Path)
		case i >= len(m.Files):
			return fmt.Errorf("verify %s: %s is not in the manifest", dir, items[i].Path)
		case items[i] != m.Files[i]:
			return fmt.Errorf("verify %s: found %s (%d bytes, %s), the manifest has %s (%d bytes, %s)", dir,
				items[i].Path, items[i].Size, items[i].SHA256, m.Files[i].Path, m.Files[i].Size, m.Files[i].SHA256)
		}
	}
	return nil
}

func readManifest(dir string) (m Manifest, b []byte, err error) {
	f, err := os.Open(filepath.Join(dir, ManifestFile))
	if err != nil {
		return m, nil, err
	}
	defer f.Close()
	b, err = io.ReadAll(io.LimitReader(f, manifestBytesMax+1))
	if err != nil {
		return m, nil, err
	}
	if len(b) > manifestBytesMax {
		return m, nil, fmt.Errorf("%s is larger than %d bytes", ManifestFile, manifestBytesMax)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return m, nil, fmt.Errorf("%s: %w", ManifestFile, err)
	}
	if m.Version != 1 {
		return m, nil, fmt.Errorf("%s: version %d is not 1", ManifestFile, m.Version)
	}
	return m, b, nil
}

// scan digests the files below dir, in the order of their paths. Anything that is neither
// file nor directory is an error: a link would lead out of the sealed directory.
func scan(dir string) ([]ManifestItem, error) {
	var items []ManifestItem
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil || rel == ManifestFile {
			return err
		}
		if !d.Type().IsRegular() {
			return fmt.Errorf("%s is not a regular file", rel)
		}
		if len(items) == manifestFilesMax {
			return fmt.Errorf("it has more than %d files", manifestFilesMax)
		}
		sum, size, err := durable.SHA256(path)
		items = append(items, ManifestItem{Path: filepath.ToSlash(rel), Size: size, SHA256: sum})
		return err
	})
	slices.SortFunc(items, func(a, b ManifestItem) int { return strings.Compare(a.Path, b.Path) })
	return items, err
}

func hexDigest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
