package export

import (
	"fmt"
	"strings"

	"outcrop.dev/outcrop/format/tokenizer"
)

// preTokenizer is the part of a tokenizer.json that cuts text into pieces.
type preTokenizer struct {
	Type          string         `json:"type"`
	PreTokenizers []preTokenizer `json:"pretokenizers"`
	AddPrefix     *bool          `json:"add_prefix_space"`
	UseRegex      *bool          `json:"use_regex"`
	Individual    bool           `json:"individual_digits"`
	Behavior      string         `json:"behavior"`
	PrependScheme string         `json:"prepend_scheme"`
	Pattern       struct {
		Regex  string `json:"Regex"`
		String string `json:"String"`
	} `json:"pattern"`
}

// prepends reports whether a Metaspace puts a space before the text.
func (p *preTokenizer) prepends() bool {
	if p == nil {
		return false
	}
	for i := range p.PreTokenizers {
		if p.PreTokenizers[i].prepends() {
			return true
		}
	}
	return p.Type == "Metaspace" && (p.PrependScheme == "always" || p.PrependScheme == "first" || p.PrependScheme == "" && (p.AddPrefix == nil || *p.AddPrefix))
}

// cuts names what cuts text in a way that SentencePiece does not; "" if nothing does. Spaces have
// become ▁ before a Split at spaces sees them (Gemma's).
func (p *preTokenizer) cuts() string {
	if p == nil {
		return ""
	}
	for i := range p.PreTokenizers {
		if c := p.PreTokenizers[i].cuts(); c != "" {
			return c
		}
	}
	if p.Type == "Sequence" || p.Type == "Metaspace" || p.Type == "Split" && p.Pattern.String == " " {
		return ""
	}
	return p.Type
}

// How the families cut text.
const (
	cutGPT2   = "gpt2"
	cutDigits = "digits gpt2"
	cutLlama3 = tokenizer.Llama3Pattern
	cutQwen2  = tokenizer.Qwen2Pattern
)

// preKey is what tells llama.cpp's pre-tokenizers apart. With ignoreMerges a piece that is in
// the vocabulary is taken whole.
type preKey struct {
	cut          string
	ignoreMerges bool
}

// preNames are llama.cpp's pre-tokenizers (tokenizer.ggml.pre) that do the same
// (llama_vocab::impl::load and llm_tokenizer_bpe).
var preNames = map[preKey]string{
	{cutGPT2, false}:   "gpt-2",
	{cutDigits, false}: "smollm",
	{cutLlama3, true}:  "llama-bpe",
	{cutLlama3, false}: "smaug-bpe",
	{cutQwen2, false}:  "qwen2",
}

// cutting describes how text is cut: one of the constants, or what it is instead.
func (f *tokenizerFile) cutting() (string, error) {
	var steps []string
	byteLevel := false
	var add func(p preTokenizer)
	add = func(p preTokenizer) {
		switch {
		case p.Type == "Sequence":
			for _, q := range p.PreTokenizers {
				add(q)
			}
		case p.Type == "ByteLevel":
			byteLevel = true
			if p.UseRegex == nil || *p.UseRegex {
				steps = append(steps, cutGPT2)
			}
			if p.AddPrefix != nil && *p.AddPrefix {
				steps = append(steps, "add_prefix_space")
			}
		case p.Type == "Digits" && p.Individual:
			steps = append(steps, "digits")
		case p.Type == "Split" && p.Behavior == "Isolated" && p.Pattern.Regex != "":
			steps = append(steps, p.Pattern.Regex)
		default:
			steps = append(steps, p.Type)
		}
	}
	if f.PreTokenizer != nil {
		add(*f.PreTokenizer)
	}
	if !byteLevel {
		return "", fmt.Errorf("tokenizer.json: neither byte-level nor of SentencePiece's kind: it cannot be exported as GGUF")
	}
	return strings.Join(steps, " "), nil
}
