package customize

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/datacheck"
	"outcrop.dev/outcrop/internal/durable"
)

// artefact is an object below the output prefix, as the manifest lists it.
type artefact struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// input is a data file as this run read it.
type input struct {
	URI    string `json:"uri"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// manifest says what a job made of what: with the same inputs, hyperparameters and kernel the
// same artefacts come out. It is the object manifest.json below the job's output prefix, stored
// after all others:
//
//	PREFIX/                                     PREFIX/manifest.json
//	├─ data_report.json                         {
//	├─ model/                                     "version": 1,
//	│  ├─ config.json                             "job": "ldsjl9h7yexe",            the job's id
//	│  └─ …                                       "baseModel": "outcrop.pebble-v1",
//	├─ parity.json                                "hyperParameters": {"epochCount": "1", …},
//	├─ training_artifacts/                        "train": {"Method": "full", "Epochs": 1, …},
//	│  └─ step_wise_training_metrics.csv          "steps": 313,
//	├─ training_report.json                       "publishedStep": 313,
//	├─ validation_artifacts/…                     "kernel": "avx512-bf16",          of engine/tensor/gemm
//	└─ manifest.json                              "inputs": [{"uri", "size", "sha256"}, …],
//	                                              "artefacts": [{"path", "size", "sha256"}, …]
//	                                            }
//
// Inputs stand in the order in which they were read. Artefacts are ordered by path, which begins
// below PREFIX; the manifest is not one of them. Sums are SHA-256 in hex. It is indented by two
// spaces and ends with a newline. Nothing of ours reads it: it is for whoever has the results.
type manifest struct {
	Version         int               `json:"version"` // 1
	Job             string            `json:"job"`
	BaseModel       string            `json:"baseModel"`
	HyperParameters map[string]string `json:"hyperParameters"` // as given
	Train           outcrop.TrainSpec `json:"train"`           // as used
	Steps           int               `json:"steps"`           // trained
	PublishedStep   int               `json:"publishedStep"`   // whose weights the model has
	Kernel          string            `json:"kernel"`
	Inputs          []input           `json:"inputs"`
	Artefacts       []artefact        `json:"artefacts"`
}

// source is an input of the job that is hashed while it is read.
func (r *run) source(uri string) datacheck.Source {
	return datacheck.Source{Name: uri, Open: func(ctx context.Context) (io.ReadCloser, error) {
		body, err := r.attempt.Get(ctx, uri)
		if err != nil {
			return nil, err
		}
		return &hashedInput{ReadCloser: body, run: r, uri: uri, hash: sha256.New()}, nil
	}}
}

type hashedInput struct {
	io.ReadCloser
	run  *run
	uri  string
	hash hash.Hash
	size int64
}

func (h *hashedInput) Read(b []byte) (int, error) {
	n, err := h.ReadCloser.Read(b)
	h.hash.Write(b[:n])
	h.size += int64(n)
	return n, err
}

func (h *hashedInput) Close() error {
	h.run.inputs = append(h.run.inputs, input{h.uri, h.size, hex.EncodeToString(h.hash.Sum(nil))})
	return h.ReadCloser.Close()
}

// uri returns where an artefact goes.
func (r *run) uri(key string) string { return outcrop.JoinS3URI(r.job.OutputPrefix, key) }

// putLater stores a small artefact without waiting.
func (r *run) putLater(key, contentType string, content []byte) {
	sum := sha256.Sum256(content)
	r.attempt.PutLater(r.uri(key), contentType, content)
	r.artefacts[key] = artefact{key, int64(len(content)), hex.EncodeToString(sum[:])}
}

// putModel stores every file of the finished model.
func (r *run) putModel(ctx context.Context, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := r.putFile(ctx, filepath.Join(dir, e.Name()), modelPrefix+e.Name()); err != nil {
			return fmt.Errorf("store %s: %w", e.Name(), err)
		}
	}
	return nil
}

func (r *run) putFile(ctx context.Context, path, key string) error {
	sum, size, err := durable.SHA256(path)
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	r.artefacts[key] = artefact{key, size, sum}
	return r.attempt.Put(ctx, r.uri(key), contentType(key), f)
}

func contentType(key string) string {
	switch {
	case strings.HasSuffix(key, ".json"):
		return jsonType
	case strings.HasSuffix(key, ".md"):
		return textType
	}
	return dataType
}

// putManifest stores the list of all artefacts, the last of them.
func (r *run) putManifest() error {
	m := manifest{
		Version: 1, Job: r.job.JobID, BaseModel: r.job.BaseModelID, HyperParameters: r.job.HyperParameters,
		Train: r.usedSpec(), Steps: r.progress.Step, PublishedStep: r.progress.PublishedStep, Kernel: r.Exec.Kernel.Name(), Inputs: r.inputs,
	}
	for _, a := range r.artefacts {
		m.Artefacts = append(m.Artefacts, a)
	}
	slices.SortFunc(m.Artefacts, func(a, b artefact) int { return strings.Compare(a.Path, b.Path) })
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	r.putLater(manifestKey, jsonType, append(b, '\n'))
	return nil
}
