package customize

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/format/chattemplate"
	"outcrop.dev/outcrop/format/safetensors"
	"outcrop.dev/outcrop/format/tokenizer"
	"outcrop.dev/outcrop/internal/durable"
	"outcrop.dev/outcrop/work/attempt"
)

// baseFile keeps in the scratch directory the digest of the base model that the checkpoints
// there go back to.
const baseFile = "base.sha256"

// pinBase sees to it that a job is trained on one base model from its first step to its last.
// If an upgrade has put other files in the base model's place, what earlier attempts have
// trained is given up, and the job begins again with the new ones.
func (r *run) pinBase() error {
	var err error
	if r.baseDigest, err = r.digestOfBase(); err != nil {
		return fmt.Errorf("read the base model: %w", err)
	}
	r.attempt.UseBase(r.baseDigest)
	path := r.scratch(baseFile)
	pinned, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if string(pinned) == r.baseDigest {
		return nil
	}
	if err == nil {
		r.Log.Warn("the base model was replaced after the job began: the job begins again with the new one",
			"model", r.job.BaseModelID, "was", string(pinned), "is", r.baseDigest)
	}
	if err := r.beginAgain(); err != nil {
		return err
	}
	return durable.WriteBytes(path, 0o600, []byte(r.baseDigest))
}

// checkBase returns attempt.ErrBaseReplaced if the base model is no longer what pinBase has seen.
func (r *run) checkBase() error {
	digest, err := r.digestOfBase()
	if err == nil && digest != r.baseDigest {
		err = attempt.ErrBaseReplaced
	}
	return err
}

func (r *run) digestOfBase() (string, error) {
	return digestOf(r.job.ModelDir, r.job.BaseDir, r.attempt.Alive)
}

// BaseDigest is that of a base model, with the one in baseDir that it is an adapter of, if that is not "".
// It reads all of their files.
func BaseDigest(dir, baseDir string) (string, error) { return digestOf(dir, baseDir, func() {}) }

func digestOf(dir, baseDir string, alive func()) (string, error) {
	digest, err := modelDigest(dir, alive)
	if err != nil || baseDir == "" {
		return digest, err
	}
	below, err := modelDigest(baseDir, alive)
	return digest + " " + below, err
}

// modelDigest returns the SHA-256, in hex, of the files that make a model what it is: weights,
// whole or in shards, tokenizer, chat template and configuration. The others may be corrected
// meanwhile. alive is called after each file.
func modelDigest(dir string, alive func()) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	all := sha256.New()
	for _, e := range entries {
		name := e.Name()
		if name != tokenizer.File && name != model.ConfigFile && !slices.Contains(chattemplate.Files, name) && !strings.HasSuffix(name, safetensors.Suffix) {
			continue
		}
		sum, _, err := durable.SHA256(filepath.Join(dir, name))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(all, "%s %s\n", sum, name)
		alive()
	}
	return fmt.Sprintf("%x", all.Sum(nil)), nil
}
