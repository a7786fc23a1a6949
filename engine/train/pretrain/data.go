package pretrain

import (
	"fmt"
	"path/filepath"

	"outcrop.dev/outcrop/engine/train"
	"outcrop.dev/outcrop/format/tokenizer"
)

// data is everything a run reads.
type data struct {
	tok                    *tokenizer.Tokenizer
	corpus, instruct       *corpus
	corpusVal, instructVal *stream
	mix                    *mix
}

func loadData(c Config, env Env) (*data, error) {
	e, err := newEncoder(filepath.Join(c.Tokenizer, tokenizer.File))
	if err != nil {
		return nil, err
	}
	d := &data{tok: e.tok}
	if d.corpus, err = readAll(c.Corpus, e, filter{groups: c.ExcludeGroups}, env.Threads); err != nil {
		return nil, err
	}
	if d.instruct, err = readAll(c.Instruct, e, filter{groups: c.ExcludeGroups}, env.Threads); err != nil {
		return nil, err
	}
	if d.corpusVal, err = validation(c.CorpusValidation, e, c, env); err != nil {
		return nil, err
	}
	if d.instructVal, err = validation(c.InstructValidation, e, c, env); err != nil {
		return nil, err
	}
	d.log(env)
	corpora, instructs := map[int]*stream{}, map[int]*stream{}
	for _, s := range c.Stages {
		if corpora[s.Sequence] == nil {
			corpora[s.Sequence] = newStream(d.corpus, s.Sequence, c.Seed)
			instructs[s.Sequence] = newStream(d.instruct, s.Sequence, c.Seed+1)
		}
	}
	d.mix = newMix(c, corpora, instructs)
	return d, nil
}

func (d *data) log(env Env) {
	for _, c := range []struct {
		name string
		*corpus
	}{{"corpus", d.corpus}, {"instruct", d.instruct}} {
		fmt.Fprintf(env.Log, "%s: %d documents, %d tokens; %d lines left out by licence or group\n", c.name, len(c.ends), len(c.tokens), c.Dropped)
	}
}

func readAll(paths []string, e *encoder, f filter, threads int) (*corpus, error) {
	c := &corpus{origins: map[origin]int{}}
	for _, p := range paths {
		if err := c.read(p, e, f, threads); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// validation reads a validation file, every line of it, as the first stage cuts documents.
func validation(path string, e *encoder, c Config, env Env) (*stream, error) {
	var paths []string
	if path != "" {
		paths = []string{path}
	}
	corpus, err := readAll(paths, e, filter{all: true}, env.Threads)
	if err != nil {
		return nil, err
	}
	return newStream(corpus, c.Stages[0].Sequence, 0), nil
}

// examples returns pieces of about the given number of tokens, taken evenly from the whole.
func (s *stream) examples(tokens int) []train.Example {
	every := max(1, s.total/max(tokens, 1))
	var out []train.Example
	for i := 0; i < len(s.pieces); i += every {
		out = append(out, s.example(s.pieces[i]))
	}
	return out
}
