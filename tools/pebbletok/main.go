// Pebbletok writes Pebble's tokenizer files from merges that learn.py has learnt:
//
//	go run ./tools/pebbletok MERGES.json DIR
//
// Ids: 0-255 the bytes, then merges in the order they were learnt, then eight special tokens
// at the end of the 8,192. The last eight learnt merges make room for those: the rarest ones.
// It writes tokenizer.json, tokenizer_config.json, special_tokens_map.json and
// generation_config.json; config.json comes from the pre-training.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"outcrop.dev/outcrop/format/chattemplate"
	"outcrop.dev/outcrop/format/tokenizer"
)

const vocabSize = 8192

// specials are the last ids, in order.
var specials = []string{
	"<|bos|>", "<|sep|>", "<|eos|>", "<|pad|>", "<|unused0|>", "<|unused1|>", "<|unused2|>", "<|unused3|>",
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: pebbletok MERGES.json DIR")
		os.Exit(2)
	}
	if err := convert(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "pebbletok:", err)
		os.Exit(1)
	}
}

func convert(mergesPath, dir string) error {
	b, err := os.ReadFile(mergesPath)
	if err != nil {
		return err
	}
	var learnt struct {
		Merges [][2]int `json:"merges"`
	}
	if err := json.Unmarshal(b, &learnt); err != nil {
		return err
	}
	n := vocabSize - len(specials) - 256
	if len(learnt.Merges) < n {
		return fmt.Errorf("%s has %d merges, %d are needed", mergesPath, len(learnt.Merges), n)
	}
	for name, content := range map[string]any{
		"tokenizer.json":          tokenizerFile(learnt.Merges[:n]),
		"tokenizer_config.json":   tokenizerConfig(),
		"special_tokens_map.json": map[string]any{"bos_token": "<|bos|>", "eos_token": "<|eos|>", "pad_token": "<|pad|>", "sep_token": "<|sep|>"},
		"generation_config.json":  map[string]any{"bos_token_id": vocabSize - 8, "eos_token_id": vocabSize - 6, "pad_token_id": vocabSize - 5},
	} {
		if err := write(filepath.Join(dir, name), content); err != nil {
			return err
		}
	}
	return nil
}

func write(path string, content any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(content); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}

func tokenizerFile(merges [][2]int) any {
	tokens := make([]string, 0, vocabSize)
	for i := range 256 {
		tokens = append(tokens, tokenizer.EncodeByteLevel([]byte{byte(i)}))
	}
	var pairs [][2]string
	for _, m := range merges {
		pairs = append(pairs, [2]string{tokens[m[0]], tokens[m[1]]})
		tokens = append(tokens, tokens[m[0]]+tokens[m[1]])
	}
	vocab := map[string]int{}
	for id, token := range tokens {
		vocab[token] = id
	}
	byteLevel := map[string]any{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}
	return map[string]any{
		"version": "1.0", "truncation": nil, "padding": nil, "normalizer": nil, "post_processor": nil,
		"added_tokens": addedTokens(),
		"pre_tokenizer": map[string]any{"type": "Sequence", "pretokenizers": []any{
			map[string]any{"type": "Split", "pattern": map[string]any{"Regex": tokenizer.Llama3Pattern}, "behavior": "Isolated", "invert": false},
			byteLevel,
		}},
		"decoder": byteLevel,
		"model": map[string]any{
			"type": "BPE", "dropout": nil, "unk_token": nil, "continuing_subword_prefix": nil, "end_of_word_suffix": nil,
			"fuse_unk": false, "byte_fallback": false, "ignore_merges": false, "vocab": vocab, "merges": pairs,
		},
	}
}

func addedTokens() (added []any) {
	for i, s := range specials {
		added = append(added, map[string]any{
			"id": vocabSize - len(specials) + i, "content": s,
			"single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true,
		})
	}
	return added
}

func tokenizerConfig() any {
	return map[string]any{
		"tokenizer_class": "PreTrainedTokenizerFast",
		"bos_token":       "<|bos|>", "eos_token": "<|eos|>", "pad_token": "<|pad|>", "sep_token": "<|sep|>",
		"add_bos_token": false, "add_eos_token": false, "clean_up_tokenization_spaces": false,
		"chat_template": chattemplate.Jinja,
	}
}
