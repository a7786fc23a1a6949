package model

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
)

// ConfigFile is the name of the file that holds the Config of a model directory.
const ConfigFile = "config.json"

// Limits of what a config may ask for, well above the largest decoder that a CPU serves:
// a hostile file must not make the process allocate without bound.
const (
	configBytesMax = 1 << 20
	hiddenMax      = 1 << 15
	ffnMax         = 1 << 17
	layersMax      = 256
	headsMax       = 512
	vocabMax       = 1 << 20
	contextMax     = 1 << 20
	paramsMax      = 1 << 34
)

// DType is how the weights of a model are kept in its files.
type DType string

// The types of weights.
const (
	BFloat16 DType = "bfloat16"
	Float32  DType = "float32"
)

// Config is the shape of a model, from Hugging Face's config.json.
type Config struct {
	Family        string // model_type
	Hidden        int    // C
	FFN           int    // F
	Layers        int
	Heads         int // H
	KVHeads       int // G
	HeadSize      int // D
	Vocab         int // V
	Context       int // the most tokens of one document
	NormEps       float64
	Theta         float64 // of the rotary embedding
	Tied          bool    // the head is the embedding
	DType         DType
	BOS, EOS, Pad *int // token ids, if the file names them
}

// ReadConfig reads config.json of a model directory. The error names the file and the field
// that is missing, out of range, or asks for what this engine does not do.
func ReadConfig(dir string) (Config, error) {
	path := filepath.Join(dir, ConfigFile)
	f, err := os.Open(path)
	if err != nil {
		return Config{}, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, configBytesMax+1))
	if err != nil {
		return Config{}, fmt.Errorf("read %s: %w", path, err)
	}
	c, err := ParseConfig(b)
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
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
	f, ok := families[head.ModelType]
	if !ok {
		return Config{}, fmt.Errorf("model_type %q is not known: this engine runs %s", head.ModelType, familyNames())
	}
	c, err := f.parse(b)
	if err != nil {
		return Config{}, err
	}
	return c, c.Check()
}

// Check returns an error that names the first field which is out of range.
func (c Config) Check() error {
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
	switch {
	case c.Heads%c.KVHeads != 0:
		return fmt.Errorf("num_attention_heads (%d) must be a multiple of num_key_value_heads (%d)", c.Heads, c.KVHeads)
	case c.HeadSize%2 != 0:
		return fmt.Errorf("head_dim is %d: it must be even", c.HeadSize)
	case !(c.NormEps > 0 && c.NormEps < 1):
		return fmt.Errorf("rms_norm_eps is %g: it must be between 0 and 1", c.NormEps)
	case !(c.Theta >= 1 && c.Theta <= math.MaxFloat32):
		return fmt.Errorf("rope_theta is %g: it must be at least 1", c.Theta)
	case c.DType != BFloat16 && c.DType != Float32:
		return fmt.Errorf("torch_dtype is %q: it must be bfloat16, float16 or float32", c.DType)
	case c.Params() > paramsMax:
		return fmt.Errorf("%d weights are more than the limit of %d", c.Params(), paramsMax)
	}
	return nil
}

// Params returns the number of weights.
func (c Config) Params() int {
	block := c.Hidden*(c.qkv()+c.Heads*c.HeadSize) + 3*c.Hidden*c.FFN + 2*c.Hidden
	n := c.Vocab*c.Hidden + c.Layers*block + c.Hidden
	if !c.Tied {
		n += c.Vocab * c.Hidden
	}
	return n
}

// FLOPs returns the floating point operations of training on one token of a document of
// the given length: forward and backward, causal attention's masked half not counted.
func (c Config) FLOPs(length int) float64 {
	matmul := c.Layers*(c.Hidden*(c.qkv()+c.Heads*c.HeadSize)+3*c.Hidden*c.FFN) + c.Vocab*c.Hidden
	return 6 * (float64(matmul) + float64(c.Layers*c.Heads*c.HeadSize*length))
}

// qkv returns the width of a row of queries, keys and values.
func (c Config) qkv() int { return (c.Heads + 2*c.KVHeads) * c.HeadSize }
