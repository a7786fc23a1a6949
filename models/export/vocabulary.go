package export

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"outcrop.dev/outcrop/format/chattemplate"
	"outcrop.dev/outcrop/format/tokenizer"
)

// jsonBytesMax bounds the files that describe a tokenizer: the largest in use have 35 MB.
const jsonBytesMax = 256 << 20

// tokenizerFile is what of a tokenizer.json a GGUF file holds.
type tokenizerFile struct {
	AddedTokens []struct {
		ID      int    `json:"id"`
		Content string `json:"content"`
		Special bool   `json:"special"`
	} `json:"added_tokens"`
	PreTokenizer *preTokenizer `json:"pre_tokenizer"`
	Normalizer   *normalizer   `json:"normalizer"`
	Post         postProcessor `json:"post_processor"`
	Model        struct {
		Type         string         `json:"type"`
		Vocab        map[string]int `json:"vocab"`
		Merges       []mergePair    `json:"merges"`
		Unknown      string         `json:"unk_token"`
		ByteFallback bool           `json:"byte_fallback"`
		IgnoreMerges bool           `json:"ignore_merges"`
	} `json:"model"`
}

// normalizer is what rewrites a text before it is cut.
type normalizer struct {
	Type        string       `json:"type"`
	Normalizers []normalizer `json:"normalizers"`
	Content     string       `json:"content"`
	Pattern     struct {
		String string `json:"String"`
	} `json:"pattern"`
}

// steps returns what is done, in order; none for no normalizer.
func (n *normalizer) steps() (all []normalizer) {
	switch {
	case n == nil:
		return nil
	case n.Type != "Sequence":
		return []normalizer{*n}
	}
	for i := range n.Normalizers {
		all = append(all, n.Normalizers[i].steps()...)
	}
	return all
}

// checkNormalizer returns an error if text is rewritten in a way that llama.cpp, which rewrites
// nothing but spaces in SentencePiece's kind, would leave out: it would answer other texts.
func (g *conversion) checkNormalizer(f *tokenizerFile) error {
	for _, n := range f.Normalizer.steps() {
		switch {
		case n.Type == "NFC":
			g.note("llama.cpp does not compose characters (NFC) as this model's tokenizer does: letters with their accents apart may be cut otherwise")
		case f.Model.ByteFallback && (n.Type == "Prepend" || n.Type == "Replace" && n.Pattern.String == " " && n.Content == "▁"):
		default:
			return fmt.Errorf("tokenizer.json: llama.cpp cannot rewrite text as its normalizer %s does", n.Type)
		}
	}
	return nil
}

// postProcessor is what puts special tokens round a text.
type postProcessor struct {
	Type       string          `json:"type"`
	Processors []postProcessor `json:"processors"`
	Single     []struct {
		Special *struct {
			ID string `json:"id"`
		} `json:"SpecialToken"`
	} `json:"single"`
}

// around reports which token the processor puts at the beginning and at the end of a text;
// known is false if it is none that does such a thing.
func (p *postProcessor) around() (begin, end string, known bool) {
	for i := range p.Processors {
		if begin, end, known = p.Processors[i].around(); known {
			return begin, end, known
		}
	}
	if p.Type != "TemplateProcessing" {
		return "", "", false
	}
	text := false // what comes before it, or after
	for _, s := range p.Single {
		switch {
		case s.Special == nil:
			text = true
		case text:
			end = s.Special.ID
		default:
			begin = s.Special.ID
		}
	}
	return begin, end, true
}

// mergePair is written as "a b" by older files and as ["a","b"] by newer ones.
type mergePair struct{ left, right string }

// UnmarshalJSON accepts both forms.
func (m *mergePair) UnmarshalJSON(b []byte) error {
	var pair []string
	if json.Unmarshal(b, &pair) != nil {
		var line string
		if err := json.Unmarshal(b, &line); err != nil {
			return err
		}
		pair = strings.SplitN(line, " ", 2)
	}
	if len(pair) != 2 {
		return fmt.Errorf("merge %s is not a pair", b)
	}
	m.left, m.right = pair[0], pair[1]
	return nil
}

// readJSON reads a file of the model directory into v; fs.ErrNotExist if there is none.
func readJSON(dir, name string, v any) error {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, jsonBytesMax+1))
	if err != nil {
		return err
	}
	if len(b) > jsonBytesMax {
		return fmt.Errorf("%s is longer than %d bytes", name, jsonBytesMax)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// The types of tokens (llama_token_type).
const (
	tokenNormal      = 1
	tokenUnknown     = 2
	tokenControl     = 3
	tokenUserDefined = 4
	tokenUnused      = 5
	tokenByte        = 6
)

// vocabulary writes the tokenizer, its special tokens and the chat template.
func (g *conversion) vocabulary() error {
	var file tokenizerFile
	if err := readJSON(g.dir, tokenizer.File, &file); err != nil {
		return err
	}
	tokens, types, err := g.tokens(&file)
	if err != nil {
		return fmt.Errorf("tokenizer.json: %w", err)
	}
	if err := g.checkNormalizer(&file); err != nil {
		return err
	}
	switch {
	case file.Model.Type != "BPE":
		err = fmt.Errorf("tokenizer.json: a %s tokenizer cannot be exported as GGUF yet: BPE can", file.Model.Type)
	case file.Model.ByteFallback:
		err = g.sentencePiece(&file, tokens, types)
	default:
		err = g.byteLevel(&file, tokens, types)
	}
	if err != nil {
		return err
	}
	return g.specials(&file, tokens)
}

// tokens returns the text and the type of each id of the model's vocabulary. Ids that no
// token has become unused ones: llama.cpp wants as many as the embedding has rows.
func (g *conversion) tokens(file *tokenizerFile) (tokens []string, types []int32, err error) {
	n := g.config.Vocab
	tokens, types = make([]string, n), make([]int32, n)
	put := func(id int, text string, kind int32) error {
		if id < 0 || id >= n {
			return fmt.Errorf("token %q has id %d, and the model has %d", text, id, n)
		}
		tokens[id], types[id] = text, kind
		return nil
	}
	for text, id := range file.Model.Vocab {
		if err := put(id, text, tokenNormal); err != nil {
			return nil, nil, err
		}
	}
	for _, a := range file.AddedTokens {
		kind := int32(tokenUserDefined)
		if a.Special {
			kind = tokenControl
		}
		if a.Special && a.ID >= n {
			continue // no text becomes it: the small Gemma 3s have such a one, for pictures
		}
		if err := put(a.ID, a.Content, kind); err != nil {
			return nil, nil, err
		}
	}
	for id := range tokens {
		if types[id] == 0 {
			tokens[id], types[id] = fmt.Sprintf("[PAD%d]", id), tokenUnused
		}
	}
	return tokens, types, nil
}

// byteLevel writes a tokenizer of GPT-2's kind.
func (g *conversion) byteLevel(file *tokenizerFile, tokens []string, types []int32) error {
	cut, err := file.cutting()
	if err != nil {
		return err
	}
	pre, known := preNames[preKey{cut, file.Model.IgnoreMerges}]
	if !known {
		return fmt.Errorf("tokenizer.json: llama.cpp has no pre-tokenizer that cuts text as this one does (%s, ignore_merges %v)", cut, file.Model.IgnoreMerges)
	}
	merges := make([]string, len(file.Model.Merges))
	for i, m := range file.Model.Merges {
		merges[i] = m.left + " " + m.right
	}
	g.set("tokenizer.ggml.model", "gpt2")
	g.set("tokenizer.ggml.pre", pre)
	g.set("tokenizer.ggml.tokens", tokens)
	g.set("tokenizer.ggml.token_type", types)
	g.set("tokenizer.ggml.merges", merges)
	return nil
}

// sentencePiece writes a tokenizer of Llama 2's kind. llama.cpp merges by score: the best
// merge has the highest, so that it merges in the order of the list.
func (g *conversion) sentencePiece(file *tokenizerFile, tokens []string, types []int32) error {
	if cuts := file.PreTokenizer.cuts(); cuts != "" {
		return fmt.Errorf("tokenizer.json: llama.cpp does not cut text by %s in a tokenizer of SentencePiece's kind", cuts)
	}
	scores := make([]float32, len(tokens))
	for i := range scores {
		scores[i] = -1e6 // below every merge
	}
	for rank, m := range file.Model.Merges {
		if id, ok := file.Model.Vocab[m.left+m.right]; ok && scores[id] == -1e6 {
			scores[id] = -float32(rank)
		}
	}
	for id, text := range tokens {
		var b byte
		if n, _ := fmt.Sscanf(text, "<0x%02X>", &b); n == 1 && len(text) == len("<0x00>") {
			types[id] = tokenByte
		}
		if text == file.Model.Unknown {
			types[id] = tokenUnknown
		}
	}
	g.set("tokenizer.ggml.model", "llama")
	g.set("tokenizer.ggml.pre", "default")
	g.set("tokenizer.ggml.tokens", tokens)
	g.set("tokenizer.ggml.scores", scores)
	g.set("tokenizer.ggml.token_type", types)
	prepends := slices.ContainsFunc(file.Normalizer.steps(), func(n normalizer) bool { return n.Type == "Prepend" })
	g.set("tokenizer.ggml.add_space_prefix", prepends || file.PreTokenizer.prepends())
	return nil
}

// tokenizerConfig is what of tokenizer_config.json a GGUF file holds.
type tokenizerConfig struct {
	BOS          tokenText       `json:"bos_token"`
	EOS          tokenText       `json:"eos_token"`
	Unknown      tokenText       `json:"unk_token"`
	Pad          tokenText       `json:"pad_token"`
	AddBOS       *bool           `json:"add_bos_token"`
	AddEOS       *bool           `json:"add_eos_token"`
	ChatTemplate json.RawMessage `json:"chat_template"`
}

// tokenText is a token, written as text or as an object with its content.
type tokenText string

// UnmarshalJSON accepts both forms, and null.
func (t *tokenText) UnmarshalJSON(b []byte) error {
	var object struct {
		Content string `json:"content"`
	}
	if json.Unmarshal(b, &object) == nil {
		*t = tokenText(object.Content)
		return nil
	}
	return json.Unmarshal(b, (*string)(t))
}

func (g *conversion) specials(file *tokenizerFile, tokens []string) error {
	var c tokenizerConfig
	if err := readJSON(g.dir, chattemplate.ConfigFile, &c); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	ids := make(map[string]int, len(tokens))
	for id, text := range tokens {
		ids[text] = id
	}
	var eos *int // the first that config.json has
	if len(g.config.EOS) > 0 {
		eos = &g.config.EOS[0]
	}
	for _, s := range []struct {
		key  string
		text tokenText
		id   *int // of config.json
	}{
		{"bos", c.BOS, g.config.BOS}, {"eos", c.EOS, eos}, {"unknown", c.Unknown, nil}, {"padding", c.Pad, g.config.Pad},
	} {
		id, ok := ids[string(s.text)]
		if !ok && s.id != nil {
			id, ok = *s.id, true
		}
		if ok && id >= 0 && id < len(tokens) {
			g.set("tokenizer.ggml."+s.key+"_token_id", uint32(id))
		}
	}
	g.endOfTurn(ids, c.EOS)
	addBOS, addEOS := c.AddBOS != nil && *c.AddBOS, c.AddEOS != nil && *c.AddEOS
	if begin, end, known := file.Post.around(); known {
		addBOS, addEOS = begin != "", end != ""
	}
	g.set("tokenizer.ggml.add_bos_token", addBOS)
	g.set("tokenizer.ggml.add_eos_token", addEOS)
	return g.template(c.ChatTemplate)
}

// endOfTurn writes another token that ends a text: llama.cpp has room for two.
func (g *conversion) endOfTurn(ids map[string]int, eos tokenText) {
	written, named := ids[string(eos)]
	for _, id := range g.config.EOS {
		if !named {
			written, named = id, true // the first is the end of text
		} else if id != written {
			g.set("tokenizer.ggml.eot_token_id", uint32(id))
			return
		}
	}
}

// template writes the chat template, from a file of its own or from tokenizer_config.json.
func (g *conversion) template(configured json.RawMessage) error {
	b, err := os.ReadFile(filepath.Join(g.dir, chattemplate.TemplateFile))
	if err == nil {
		g.set("tokenizer.chat_template", string(b))
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var one string
	if json.Unmarshal(configured, &one) == nil && one != "" {
		g.set("tokenizer.chat_template", one)
		return nil
	}
	var several []struct{ Name, Template string }
	if json.Unmarshal(configured, &several) == nil {
		for _, t := range several {
			if t.Name == "default" {
				g.set("tokenizer.chat_template", t.Template)
			}
		}
	}
	return nil
}
