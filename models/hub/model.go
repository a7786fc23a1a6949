package hub

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/format/safetensors"
)

// Model is one commit of a model, and what is needed of it.
type Model struct {
	Name   Name
	ID     string // ORG/NAME as the hub spells it
	Commit string // 40 hexadecimal digits
	Files  []File
}

// File is a file of a model.
type File struct {
	Name   string // in the model's top folder
	Size   int64  // bytes
	SHA256 string // of the content, hexadecimal; "" if the hub gives GitSHA1
	// GitSHA1 is what git calls a blob: SHA-1 of "blob SIZE\0" and the content.
	GitSHA1 string
}

// Bytes returns the size of all files.
func (m Model) Bytes() int64 {
	n := int64(0)
	for _, f := range m.Files {
		n += f.Size
	}
	return n
}

// WithoutWeights returns m without the files that most of its bytes are in.
func (m Model) WithoutWeights() Model {
	m.Files = slices.DeleteFunc(slices.Clone(m.Files), func(f File) bool { return strings.HasSuffix(f.Name, safetensors.Suffix) })
	return m
}

// Limits of what the hub may say.
const (
	infoBytesMax = 16 << 20 // a list of 50,000 files
	fileBytesMax = 1 << 40
)

// info is the hub's answer about a model.
type info struct {
	ID       string    `json:"id"`
	SHA      string    `json:"sha"`
	Siblings []sibling `json:"siblings"`
}

type sibling struct {
	Name   string `json:"rfilename"`
	Size   *int64 `json:"size"` // with ?blobs=true only, and not from every mirror
	BlobID string `json:"blobId"`
	LFS    *struct {
		SHA256 string `json:"sha256"`
		Size   int64  `json:"size"`
	} `json:"lfs"`
}

// Model asks which commit a name means and which of its files are needed. CodeNotFound,
// CodeAccessDenied (gated or private) and CodeThrottling say what to do; CodeValidation says
// that it has no weights or no tokenizer that can be used, which pickle files cannot.
func (c *Client) Model(ctx context.Context, name Name) (Model, error) {
	var in info
	err := c.retry(ctx, func() (bool, error) {
		var err error
		in, err = c.info(ctx, name)
		return false, err
	})
	if err != nil {
		return Model{}, c.explain(name, "the list of files", err)
	}
	m := Model{Name: name, ID: in.ID, Commit: in.SHA}
	if m.ID == "" {
		m.ID = name.Repo
	}
	if !repoPattern.MatchString(m.ID) || !commitPattern.MatchString(m.Commit) {
		return Model{}, outcrop.Errorf(outcrop.CodeServiceUnavailable, "%s answers for %s with the id %.100q and the commit %.100q: it is not a hub.", c.endpoint.Host, name, in.ID, in.SHA)
	}
	if err := c.choose(ctx, &m, in); err != nil {
		return Model{}, err
	}
	return m, c.describe(ctx, &m)
}

func (c *Client) info(ctx context.Context, name Name) (info, error) {
	b, err := c.read(ctx, "/api/models/"+name.Repo+"/revision/"+url.PathEscape(name.Revision)+"?blobs=true", infoBytesMax)
	if err != nil {
		return info{}, err
	}
	var in info
	if err := json.Unmarshal(b, &in); err != nil {
		return info{}, &finalError{fmt.Errorf("its answer is not the hub's: %w", err)}
	}
	return in, nil
}

// read returns an answer that fits in memory.
func (c *Client) read(ctx context.Context, path string, most int64) ([]byte, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r, said, err := c.get(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return nil, newStatusError(r.StatusCode, said)
	}
	body := c.watch(r.Body, cancel)
	defer body.end()
	b, err := io.ReadAll(io.LimitReader(body, most+1))
	if err != nil {
		return nil, orCause(ctx, err)
	}
	if int64(len(b)) > most {
		return nil, &finalError{fmt.Errorf("its answer is longer than %d bytes", most)}
	}
	return b, nil
}

// choose takes from the list what is needed.
func (c *Client) choose(ctx context.Context, m *Model, in info) error {
	listed := map[string]int{}
	for i, s := range in.Siblings {
		listed[s.Name] = i
	}
	for _, need := range []string{"config.json", "tokenizer.json"} {
		if _, ok := listed[need]; !ok {
			return outcrop.Errorf(outcrop.CodeValidation, "%s cannot be used: it has no %s.", m.Name, need)
		}
	}
	names := slices.DeleteFunc(slices.Clone(outcrop.TextFiles), func(name string) bool { _, ok := listed[name]; return !ok })
	weights, err := c.weights(ctx, m, listed)
	if err != nil {
		return err
	}
	for _, name := range append(names, weights...) {
		i, ok := listed[name]
		if !ok {
			return outcrop.Errorf(outcrop.CodeValidation, "%s cannot be used: its %s names the file %s, which it does not have.", m.Name, safetensors.IndexFile, name)
		}
		m.Files = append(m.Files, in.Siblings[i].file())
	}
	slices.SortFunc(m.Files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

// weights names the files with the weights: one, or the index and all that it names.
func (c *Client) weights(ctx context.Context, m *Model, listed map[string]int) ([]string, error) {
	if _, ok := listed[safetensors.SingleFile]; ok {
		return []string{safetensors.SingleFile}, nil
	}
	if _, ok := listed[safetensors.IndexFile]; !ok {
		return nil, outcrop.Errorf(outcrop.CodeValidation,
			"%s has no safetensors weights, and other formats are not loaded, since they may hold programs. Some models have them in another revision: try %s@refs/pr/1.", m.Name, m.Name.Repo)
	}
	var weightMap map[string]string
	err := c.retry(ctx, func() (bool, error) {
		b, err := c.read(ctx, m.path(safetensors.IndexFile), safetensors.IndexBytesMax)
		if err != nil {
			return false, err
		}
		weightMap, err = safetensors.ParseIndex(b)
		if err != nil {
			err = &finalError{err}
		}
		return false, err
	})
	if err != nil {
		return nil, c.explain(m.Name, safetensors.IndexFile, err)
	}
	names := slices.Sorted(maps.Values(weightMap))
	for _, name := range names { // an index may not bring what is never downloaded, nor a file twice
		if !shardPattern.MatchString(name) {
			return nil, outcrop.Errorf(outcrop.CodeValidation, "%s cannot be used: its %s names %q, which is no safetensors file.", m.Name, safetensors.IndexFile, name)
		}
	}
	return append(slices.Compact(names), safetensors.IndexFile), nil
}

var shardPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,199}\.safetensors$`)

func (s *sibling) file() File {
	f := File{Name: s.Name, Size: -1}
	if s.Size != nil {
		f.Size, f.GitSHA1 = *s.Size, s.BlobID
	}
	if s.LFS != nil {
		f.Size, f.SHA256, f.GitSHA1 = s.LFS.Size, s.LFS.SHA256, ""
	}
	return f
}

// describe asks for size and checksum of files that the list did not tell them of, as those
// of mirrors do not.
func (c *Client) describe(ctx context.Context, m *Model) error {
	for i := range m.Files {
		f := &m.Files[i]
		if f.Size < 0 || f.SHA256 == "" && f.GitSHA1 == "" {
			err := c.retry(ctx, func() (bool, error) { return false, c.head(ctx, m, f) })
			if err != nil {
				return c.explain(m.Name, f.Name, err)
			}
		}
		if f.Size < 0 || f.Size > fileBytesMax {
			return outcrop.Errorf(outcrop.CodeServiceUnavailable, "%s does not tell a size of %s that can be: %d.", c.endpoint.Host, f.Name, f.Size)
		}
		if slices.Contains(outcrop.TextFiles, f.Name) && f.Size > outcrop.TextBytesMax {
			return outcrop.Errorf(outcrop.CodeValidation, "%s cannot be used: its %s has %d bytes, more than %d.", m.Name, f.Name, f.Size, outcrop.TextBytesMax)
		}
		if !digestPattern.MatchString(f.SHA256) && !commitPattern.MatchString(f.GitSHA1) {
			return outcrop.Errorf(outcrop.CodeServiceUnavailable, "%s tells no checksum of %s: what comes could not be checked.", c.endpoint.Host, f.Name)
		}
	}
	return nil
}

var digestPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

func (c *Client) head(ctx context.Context, m *Model, f *File) error {
	r, said, err := c.get(ctx, http.MethodHead, m.path(f.Name), nil)
	if err != nil {
		return err
	}
	r.Body.Close()
	if r.StatusCode >= 400 {
		return newStatusError(r.StatusCode, said)
	}
	// A file in large file storage has its size and checksum beside the redirect to it.
	size, tag := said.Get("X-Linked-Size"), said.Get("X-Linked-Etag")
	if r.StatusCode == http.StatusOK {
		size, tag = cmp.Or(size, r.Header.Get("Content-Length")), cmp.Or(tag, r.Header.Get("Etag"))
	}
	if n, err := strconv.ParseInt(size, 10, 64); err == nil {
		f.Size = n
	}
	tag = strings.Trim(strings.TrimPrefix(tag, "W/"), `"`)
	if digestPattern.MatchString(tag) {
		f.SHA256 = tag
	} else {
		f.GitSHA1 = tag
	}
	return nil
}

func (m *Model) path(file string) string {
	return "/" + m.ID + "/resolve/" + m.Commit + "/" + url.PathEscape(file)
}
