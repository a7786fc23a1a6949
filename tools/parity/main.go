// Command parity computes, with Outcrop's engine, what tools/parity/reference.py has computed
// with transformers, for parity.py to compare. It judges nothing.
//
//	parity DIR...      each the directory of a case; see reference.py
//
// For each kernel that this CPU can run it writes DIR/got/KERNEL: the logits of all documents
// and of every generated token, the gradients, the weights after some steps of AdamW, and
// the model saved again. Gradients are written as a model of the same layout, so that they
// are compared under Hugging Face's names however the engine stacks its tensors.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/gemm"
	"outcrop.dev/outcrop/engine/train"
	"outcrop.dev/outcrop/format/safetensors"
)

// threads is more than one, so that work is divided as it is in service.
const threads = 2

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "parity:", err)
		os.Exit(1)
	}
}

// run computes every case with every kernel. One that fails does not keep the other cases
// from being computed; the comparison misses its files.
func run(dirs []string) error {
	pool := tensor.NewPool(threads)
	defer pool.Close()
	var errs []error
	for _, dir := range dirs {
		errs = append(errs, computeAll(dir, pool))
	}
	return errors.Join(errs...)
}

// computeAll computes a case with every kernel until one fails.
func computeAll(dir string, pool *tensor.Pool) error {
	for _, k := range gemm.Kernels() {
		if err := compute(dir, nn.Exec{Pool: pool, Kernel: k}); err != nil {
			return fmt.Errorf("%s with %s: %w", dir, k.Name(), err)
		}
	}
	return nil
}

// job is one case with one kernel.
type job struct {
	task
	model   string // directory
	adapter string // directory
	exec    nn.Exec
	out     string // directory
	results
}

func compute(dir string, exec nn.Exec) error {
	t, err := readTask(dir)
	if err != nil {
		return err
	}
	j := &job{
		task: t, exec: exec, model: filepath.Join(dir, modelDir), adapter: filepath.Join(dir, adapterDir),
		out: filepath.Join(dir, resultsDir, exec.Kernel.Name()),
	}
	if err := os.RemoveAll(j.out); err != nil {
		return err
	}
	if err := os.MkdirAll(j.out, 0o755); err != nil {
		return err
	}
	for _, step := range []func() error{j.forward, j.train, j.generate, j.merge} {
		if err := step(); err != nil {
			return err
		}
	}
	b, err := json.Marshal(j.results)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(j.out, resultsFile), b, 0o644)
}

// load loads the model as it is trained: with the adapter in its place if there is one.
func (j *job) load() (*model.Model, error) {
	if !j.Adapter {
		return model.Load(j.model, j.exec)
	}
	m, err := model.LoadFrozen(j.model, j.exec)
	if err != nil {
		return nil, err
	}
	if err := m.LoadAdapter(j.adapter); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// forward computes logits, loss and gradients.
func (j *job) forward() error {
	m, err := j.load()
	if err != nil {
		return err
	}
	defer m.Close()
	if err := j.save(m, savedDir); err != nil {
		return err
	}
	b := j.batch()
	if err := m.Plan(model.Budget{Tokens: len(b.Tokens), Longest: j.longest(), Train: true}); err != nil {
		return err
	}
	logits := make([]float32, len(b.Tokens)*m.Vocab)
	if err := m.Logits(logits, b); err != nil {
		return err
	}
	if err := j.saveLogits("logits", logits, m.Vocab); err != nil {
		return err
	}
	loss, err := m.Accumulate(b, 1/float32(b.Trained()))
	if err != nil {
		return err
	}
	j.Loss = loss.Mean()
	if !j.Train {
		return nil
	}
	for _, p := range m.Trainable() {
		copy(p.W, p.G)
	}
	return j.save(m, gradDir)
}

// train takes the steps of AdamW.
func (j *job) train() error {
	if !j.Train {
		return nil
	}
	m, err := j.load()
	if err != nil {
		return err
	}
	defer m.Close()
	t, err := train.New(m, j.examples(), j.longest(), j.options())
	if err != nil {
		return err
	}
	defer t.Close()
	for !t.Done() {
		r, err := t.Step()
		if err != nil {
			return err
		}
		j.Losses = append(j.Losses, r.Loss)
	}
	return j.save(m, stepDir)
}

// generate continues the prompt greedily, with a cache, and keeps the logits that every
// token was chosen by.
func (j *job) generate() error {
	s, err := model.LoadServing(j.model, j.exec)
	if err != nil {
		return err
	}
	defer s.Close()
	session, err := j.session(s)
	if err != nil {
		return err
	}
	var logits []float32
	for next := j.Prompt; len(j.Tokens) < j.Generate; {
		y, err := s.Forward([]model.Step{{Session: session, Tokens: next}})
		if err != nil {
			return err
		}
		logits = append(logits, y...)
		j.Tokens = append(j.Tokens, largest(y))
		next = j.Tokens[len(j.Tokens)-1:]
	}
	return j.saveLogits("generated", logits, s.Vocab)
}

// session returns a session for the prompt and what follows, with the adapter if there is one.
func (j *job) session(s *model.Serving) (*model.Session, error) {
	n := len(j.Prompt) + j.Generate
	if !j.Adapter {
		return s.NewSession(n)
	}
	a, err := s.LoadAdapter(j.adapter)
	if err != nil {
		return nil, err
	}
	return a.NewSession(n)
}

// merge adds the adapter to the weights.
func (j *job) merge() error {
	if !j.Adapter {
		return nil
	}
	m, err := model.Load(j.model, j.exec)
	if err != nil {
		return err
	}
	defer m.Close()
	if err := m.Merge(j.adapter); err != nil {
		return err
	}
	return j.write(mergedDir, m.Save)
}

func largest(x []float32) (at int32) {
	for i := range x {
		if x[i] > x[at] {
			at = int32(i)
		}
	}
	return at
}

// save saves the model, or its adapter if that is trained, in a directory of the results.
func (j *job) save(m *model.Model, name string) error {
	if j.Adapter {
		return j.write(name, m.SaveAdapter)
	}
	return j.write(name, m.Save)
}

func (j *job) write(name string, save func(dir string) error) error {
	dir := filepath.Join(j.out, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	return save(dir)
}

// saveLogits writes rows of logits to NAME.safetensors, as the tensor "logits".
func (j *job) saveLogits(name string, logits []float32, vocab int) error {
	return safetensors.WriteFile(filepath.Join(j.out, name+".safetensors"), []safetensors.Tensor{
		{Name: "logits", DType: safetensors.F32, Shape: []int{len(logits) / vocab, vocab}, Data: logits},
	})
}
