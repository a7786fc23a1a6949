package model

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path/filepath"
	"slices"

	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/internal/durable"
)

// The files of a model directory that make its Config.
const (
	ConfigFile     = "config.json"
	GenerationFile = "generation_config.json" // may be missing
)

// Limits of what a config may ask for, well above the largest decoder that a CPU serves:
// a hostile file must not make the process allocate without bound.
const (
	configBytesMax = 1 << 20
	hiddenMax      = 1 << 15
	ffnMax         = 1 << 17
	layersMax      = 256
	headsMax       = 512
	vocabMax       = 1 << 20
	contextMax     = 1 << 21
	paramsMax      = 1 << 34
	eosMax         = 64
)

// DType is how the weights of a model are kept in its files.
type DType string

// The types of weights.
const (
	BFloat16 DType = "bfloat16"
	Float32  DType = "float32"
)

// Config is the shape of a model, from Hugging Face's config.json. What a family has no
// choice about is not here but in the family's file.
type Config struct {
	Family   string // model_type
	Hidden   int    // C
	FFN      int    // F
	Layers   int
	Heads    int // H
	KVHeads  int // G
	HeadSize int // D
	Vocab    int // V
	Context  int // the most tokens of one document
	NormEps  float64

	Theta      float64 // of the rotary embedding; 0 where positions are learned
	Rotary     int     // channels of a head that it turns; 0 means all
	Scaling    Scaling // of its frequencies
	LocalTheta float64 // Theta of layers with a window, unscaled; 0 means that they are as the others

	Window     int     // tokens that a token sees; 0 means all
	Local      []bool  // the layers that have the window; nil means all
	QueryScale float64 // scores are multiplied by 1/√QueryScale; 0 means HeadSize
	// ScaleByLayer divides the scores of layer i, from 0 on, by i+1.
	ScaleByLayer bool

	QKVBias, OBias, FFNBias bool
	Act                     string // name of the activation, where the family lets the file choose
	Parallel                bool   // attention and feed-forward layer side by side

	Tied     bool // the head is the embedding
	DType    DType
	BOS, Pad *int  // token ids, if the file names them
	EOS      []int // that end a text, also those of generation_config.json
}

// ReadConfig reads config.json of a model directory, and the ids that end a text from
// generation_config.json if there is one. The error names the file and the field that is
// missing, out of range, or asks for what this engine does not do.
func ReadConfig(dir string) (Config, error) {
	b, err := readShort(filepath.Join(dir, ConfigFile))
	if err != nil {
		return Config{}, err
	}
	c, err := ParseConfig(b)
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", filepath.Join(dir, ConfigFile), err)
	}
	return c, c.readGeneration(filepath.Join(dir, GenerationFile))
}

// readShort reads a file and refuses one that is too long.
func readShort(path string) ([]byte, error) {
	f, err := durable.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, configBytesMax+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if len(b) > configBytesMax {
		return nil, fmt.Errorf("%s: longer than %d bytes", path, configBytesMax)
	}
	return b, nil
}

// readGeneration adds the ids of generation_config.json that end a text.
func (c *Config) readGeneration(path string) error {
	b, err := readShort(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var g struct {
		EOS tokenIDs `json:"eos_token_id"`
	}
	if err := json.Unmarshal(b, &g); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := checkEOS(g.EOS); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, id := range g.EOS {
		if !slices.Contains(c.EOS, id) {
			c.EOS = append(c.EOS, id)
		}
	}
	return nil
}

// ParseConfig reads the content of a config.json; see ReadConfig.
func ParseConfig(b []byte) (Config, error) {
	if len(b) > configBytesMax {
		return Config{}, fmt.Errorf("longer than %d bytes", configBytesMax)
	}
	var head struct {
		ModelType string `json:"model_type"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return Config{}, err
	}
	f, err := familyOf(head.ModelType)
	if err != nil {
		return Config{}, err
	}
	c, err := f.parse(b)
	if err != nil {
		return Config{}, err
	}
	return c, c.Check()
}

// Check returns an error that names the first field which is out of range.
func (c Config) Check() error {
	if _, err := familyOf(c.Family); err != nil {
		return err
	}
	for _, f := range []struct {
		name   string
		v, max int
	}{
		{"hidden_size", c.Hidden, hiddenMax}, {"intermediate_size", c.FFN, ffnMax},
		{"num_hidden_layers", c.Layers, layersMax}, {"num_attention_heads", c.Heads, headsMax},
		{"num_key_value_heads", c.KVHeads, headsMax}, {"head_dim", c.HeadSize, hiddenMax},
		{"vocab_size", c.Vocab, vocabMax}, {"max_position_embeddings", c.Context, contextMax},
	} {
		if f.v < 1 || f.v > f.max {
			return fmt.Errorf("%s is %d: it must be from 1 to %d", f.name, f.v, f.max)
		}
	}
	if c.Heads%c.KVHeads != 0 {
		return fmt.Errorf("num_attention_heads (%d) must be a multiple of num_key_value_heads (%d)", c.Heads, c.KVHeads)
	}
	if err := cmp.Or(c.checkRope(), c.checkWindow(), checkEOS(c.EOS)); err != nil {
		return err
	}
	switch {
	case !(c.NormEps > 0 && c.NormEps < 1):
		return fmt.Errorf("the epsilon of the norms is %g: it must be between 0 and 1", c.NormEps)
	case !(c.QueryScale >= 0 && c.QueryScale <= math.MaxFloat32):
		return fmt.Errorf("query_pre_attn_scalar is %g: it must be positive", c.QueryScale)
	case c.Act != "" && !knownActivation(c.Act):
		return fmt.Errorf("the activation %q is not supported", c.Act)
	case c.DType != BFloat16 && c.DType != Float32:
		return fmt.Errorf("torch_dtype is %q: it must be bfloat16, float16 or float32", c.DType)
	case c.Params() > paramsMax:
		return fmt.Errorf("%d weights are more than the limit of %d", c.Params(), paramsMax)
	}
	return nil
}

func (c Config) checkWindow() error {
	if c.Window < 0 {
		return fmt.Errorf("sliding_window is %d: it must be positive", c.Window)
	}
	if c.Local != nil && len(c.Local) != c.Layers {
		return fmt.Errorf("layer_types has %d entries for %d layers", len(c.Local), c.Layers)
	}
	return nil
}

// checkEOS bounds a list that is gone through for every token.
func checkEOS(ids []int) error {
	if len(ids) > eosMax {
		return fmt.Errorf("eos_token_id lists %d tokens: at most %d may end a text", len(ids), eosMax)
	}
	return nil
}

// Params returns the number of weights.
func (c Config) Params() int {
	n := 0
	for _, p := range families[c.Family].weights(c).all() {
		n += p.Len()
	}
	return n
}

// FLOPs returns the floating point operations of training on one token of a document of
// the given length: forward and backward, what attention's mask hides not counted.
func (c Config) FLOPs(length int) float64 {
	sum := float64(c.Vocab * c.Hidden)
	for i, l := range families[c.Family].weights(c).layers {
		for _, p := range []*nn.Param{l.QKV.W, l.O.W, l.GateUp.W, l.Down.W} {
			sum += float64(p.Len())
		}
		seen := float64(length) / 2
		if w := float64(c.window(i)); w > 0 && w < float64(length) {
			seen = w - w*w/float64(2*length)
		}
		sum += 2 * seen * float64(c.Heads*c.HeadSize)
	}
	return 6 * sum
}

// window returns how many tokens a token sees in a layer; 0 means all.
func (c Config) window(layer int) int {
	if c.Local != nil && !c.Local[layer] {
		return 0
	}
	return c.Window
}
