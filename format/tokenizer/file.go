package tokenizer

import (
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf8"

	"outcrop.dev/outcrop/internal/durable"
)

// FileBytesMax is the longest tokenizer.json read; Gemma's, among the largest, has 33 MB.
const FileBytesMax = 64 << 20

// VocabMax is the most ids; the largest published vocabularies have about 262,000.
const VocabMax = 1 << 20

// file is the parts of tokenizer.json that matter here. Its truncation and padding are for
// batches of fixed size, which nobody here makes.
type file struct {
	AddedTokens   []jsonAdded       `json:"added_tokens"`
	Normalizer    *jsonNormalizer   `json:"normalizer"`
	PreTokenizer  *jsonPreTokenizer `json:"pre_tokenizer"`
	PostProcessor *jsonPost         `json:"post_processor"`
	Decoder       *jsonDecoder      `json:"decoder"`
	Model         jsonModel         `json:"model"`
}

// jsonModel is the fields of all types of model. Its dropout is for training tokenizers'
// robustness and would make ids random: it is ignored.
type jsonModel struct {
	Type         string          `json:"type"`
	UnkToken     *string         `json:"unk_token"`
	UnkID        *int            `json:"unk_id"`
	Prefix       *string         `json:"continuing_subword_prefix"`
	Suffix       *string         `json:"end_of_word_suffix"`
	FuseUnk      bool            `json:"fuse_unk"`
	ByteFallback bool            `json:"byte_fallback"`
	IgnoreMerges bool            `json:"ignore_merges"`
	CharsMax     *int            `json:"max_input_chars_per_word"`
	Vocab        json.RawMessage `json:"vocab"`
	Merges       json.RawMessage `json:"merges"`

	vocab vocabulary // Vocab, read
}

// vocabulary is model.vocab: an object from token to id, or for Unigram a list of token and score.
type vocabulary struct {
	ids    map[string]int32
	scores []float64
}

// scored is a token of a Unigram vocabulary: ["▁the", -3.2].
type scored struct {
	token string
	score float64
}

// UnmarshalJSON reads a pair of token and score.
func (s *scored) UnmarshalJSON(b []byte) error {
	both := []any{&s.token, &s.score}
	if err := json.Unmarshal(b, &both); err != nil {
		return err
	}
	if len(both) != 2 {
		return fmt.Errorf("%s is not a token and its score", b)
	}
	return nil
}

// File is the name of a tokenizer in a model directory of Hugging Face's layout.
const File = "tokenizer.json"

// Load reads a tokenizer.json. It returns an error that names the file and what in it is
// wrong or not supported.
func Load(path string) (*Tokenizer, error) {
	f, err := durable.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, FileBytesMax+1))
	if err != nil {
		return nil, err
	}
	t, err := Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// Parse is Load for a file in memory.
func Parse(b []byte) (*Tokenizer, error) {
	if len(b) > FileBytesMax {
		return nil, fmt.Errorf("longer than %d bytes", FileBytesMax)
	}
	var f file
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, err
	}
	if err := f.Model.readVocab(); err != nil {
		return nil, err
	}
	t := &Tokenizer{special: map[string]int32{}, kind: f.Model.Type}
	for _, step := range []func(*file) error{
		t.readNormalizers, t.readTokens, t.readAdded, t.readReach, t.readModel, t.readPost, t.readDecoder,
	} {
		if err := step(&f); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// vocabBytes returns what the tokens count as a text.
func vocabBytes(vocab map[string]int32) (n int) {
	for token := range vocab {
		n += len(token) + tokenWork
	}
	return n
}

func (j *jsonModel) readVocab() error {
	if len(j.Vocab) > 0 && j.Vocab[0] == '[' {
		return j.readScores()
	}
	ids, err := readIDs(j.Vocab)
	if err != nil {
		return fmt.Errorf("model.vocab: %w", err)
	}
	j.vocab.ids, j.Vocab = ids, nil
	return nil
}

func (j *jsonModel) readScores() error {
	var list []scored
	if err := json.Unmarshal(j.Vocab, &list); err != nil {
		return fmt.Errorf("model.vocab: %w", err)
	}
	j.Vocab = nil
	if len(list) > VocabMax {
		return fmt.Errorf("model.vocab: %d tokens, more than %d", len(list), VocabMax)
	}
	j.vocab.ids = make(map[string]int32, len(list))
	for id, s := range list {
		j.vocab.ids[s.token] = int32(id)
		j.vocab.scores = append(j.vocab.scores, s.score)
	}
	return nil
}

func checkID(id int32) error {
	if id < 0 || id >= VocabMax {
		return fmt.Errorf("id %d is not below %d", id, VocabMax)
	}
	return nil
}

func (t *Tokenizer) readNormalizers(f *file) (err error) {
	if f.Normalizer != nil {
		t.normalizers, err = newNormalizers(*f.Normalizer, 0)
	}
	if err == nil && len(t.normalizers) > partsMax {
		err = fmt.Errorf("normalizer: %d of them, more than %d", len(t.normalizers), partsMax)
	}
	return err
}

// readTokens sets the content of every token of the model.
func (t *Tokenizer) readTokens(f *file) error {
	for token, id := range f.Model.vocab.ids {
		if err := t.setToken(id, token); err != nil {
			return fmt.Errorf("model.vocab %q: %w", token, err)
		}
	}
	return nil
}

// readReach finds the largest id that is not special, or stands for unknown characters.
func (t *Tokenizer) readReach(f *file) error {
	for id, exists := range t.exists {
		if exists && !t.IsSpecial(int32(id)) {
			t.reach = id + 1
		}
	}
	if unk, ok := f.Model.vocab.ids[deref(f.Model.UnkToken)]; ok {
		t.reach = max(t.reach, int(unk)+1)
	}
	if f.Model.UnkID != nil {
		t.reach = max(t.reach, *f.Model.UnkID+1)
	}
	return nil
}

func (t *Tokenizer) setToken(id int32, content string) error {
	if n := int(id) + 1; n > len(t.content) {
		t.content = append(t.content, make([]string, n-len(t.content))...)
		t.exists = append(t.exists, make([]bool, n-len(t.exists))...)
	}
	if t.exists[id] && t.content[id] != content {
		return fmt.Errorf("id %d is also %q", id, t.content[id])
	}
	t.content[id], t.exists[id] = content, true
	return nil
}

// readModel also reads the pre-tokenizer, whose last step may be one with the model's first.
func (t *Tokenizer) readModel(f *file) (err error) {
	if f.PreTokenizer != nil {
		if t.stages, err = newStages(*f.PreTokenizer, 0); err != nil {
			return err
		}
	}
	if len(t.stages) > partsMax {
		return fmt.Errorf("pre_tokenizer: %d of them, more than %d", len(t.stages), partsMax)
	}
	for _, s := range t.stages {
		m, ok := s.(metaspace)
		t.alwaysTracked = t.alwaysTracked || ok && m.scheme == "first" && len(t.normalizers) > 0
	}
	hidden := make(map[string]bool, len(t.special))
	for content := range t.special {
		hidden[content] = true
	}
	switch j := &f.Model; j.Type {
	case "BPE", "": // the oldest files do not say
		err = t.readBPE(j, hidden)
	case "Unigram":
		if j.vocab.scores == nil {
			return fmt.Errorf("model.vocab is not a list of tokens and scores")
		}
		t.model, err = readUnigram(j, hidden)
	case "WordPiece":
		t.model, err = readWordPiece(j, hidden)
	case "WordLevel":
		t.model = readWordLevel(j, hidden)
	default:
		err = fmt.Errorf("model.type %q is not supported: BPE, Unigram, WordPiece and WordLevel are", j.Type)
	}
	return err
}

func (t *Tokenizer) readBPE(j *jsonModel, hidden map[string]bool) error {
	byteLevel := false
	if n := len(t.stages); n > 0 {
		_, byteLevel = t.stages[n-1].(byteStage)
	}
	m, takesBytes, err := readBPE(j, hidden, byteLevel)
	if err != nil {
		return err
	}
	if takesBytes {
		t.stages = t.stages[:len(t.stages)-1]
	}
	if t.raw = takesBytes; t.raw {
		t.longest = m.longest()
	}
	if len(t.stages) > 0 || m.cut {
		m.findWhole()
	}
	t.model = m
	return nil
}

// byteRune is the printable character that stands for each byte in the file (GPT-2's
// bytes_to_unicode): itself where it is printable Latin-1, else one from U+0100 on.
var byteRune, runeByte = func() (to [256]rune, from map[rune]byte) {
	from = make(map[rune]byte, 256)
	next := rune(256)
	for i := range to {
		to[i] = rune(i)
		if !(i >= '!' && i <= '~' || i >= 0xa1 && i <= 0xac || i >= 0xae) {
			to[i] = next
			next++
		}
		from[to[i]] = byte(i)
	}
	return to, from
}()

// decodeByteLevel returns the bytes that the characters of a token stand for. ok is false,
// and the bytes are the token's own, if one of them stands for none.
func decodeByteLevel(token string) (b []byte, ok bool) {
	b = make([]byte, 0, len(token))
	for _, r := range token {
		c, ok := runeByte[r]
		if !ok {
			return []byte(token), false
		}
		b = append(b, c)
	}
	return b, true
}

// EncodeByteLevel returns how a file writes a token with these bytes.
func EncodeByteLevel(b []byte) string {
	r := make([]byte, 0, 2*len(b))
	for _, c := range b {
		r = utf8.AppendRune(r, byteRune[c])
	}
	return string(r)
}
