// Package bench measures training and generation on named shapes: what `outcrop bench`
// prints. The weights are random, so no file is needed; the arithmetic is the product's.
//
//	r, err := bench.Train(bench.Env{Exec: exec, Now: time.Now, Seconds: 10}, shape, bench.Full)
//	fmt.Println(r)
package bench

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"time"

	"outcrop.dev/outcrop/engine/model"
)

// Env is what a benchmark takes from outside.
type Env struct {
	Exec    model.Exec
	Now     func() time.Time
	Seconds float64 // how long to measure, after a warm-up
}

// Shape is a model and the batch it is measured with.
type Shape struct {
	Name     string
	About    string
	Model    model.Config
	Rows     int // documents of a training step
	Length   int // tokens of each
	Prompt   int // tokens of a prompt in generation
	Generate int // tokens generated after it
}

// Shapes are those that can be named.
var Shapes = []Shape{
	{"xs", "Pebble: 6 layers of 256, 8,192 tokens", decoder(256, 704, 6, 4, 4, 8192), 16, 512, 256, 128},
	{"a", "8 layers of 256, 8,192 tokens", decoder(256, 688, 8, 4, 4, 8192), 8, 256, 256, 128},
	{"b", "SmolLM2-135M: 30 layers of 576, 49,152 tokens", decoder(576, 1536, 30, 9, 3, 49152), 2, 512, 512, 64},
}

func decoder(hidden, ffn, layers, heads, kv, vocab int) model.Config {
	return model.Config{
		Family: "llama", Hidden: hidden, FFN: ffn, Layers: layers, Heads: heads, KVHeads: kv, HeadSize: 64,
		Vocab: vocab, Context: 1024, NormEps: 1e-5, Theta: 10000, Tied: true, DType: model.BFloat16,
	}
}

// ByName returns the named shape. The error lists the names there are.
func ByName(name string) (Shape, error) {
	var names []string
	for _, s := range Shapes {
		if s.Name == name {
			return s, nil
		}
		names = append(names, s.Name)
	}
	return Shape{}, fmt.Errorf("shape %q is not known: use one of %s", name, strings.Join(names, ", "))
}

// seed makes every run of a benchmark compute the same.
const seed = 1

func randomTokens(n, vocab int) []int32 {
	r := rand.New(rand.NewPCG(seed, uint64(n)))
	tokens := make([]int32, n)
	for i := range tokens {
		tokens[i] = r.Int32N(int32(vocab))
	}
	return tokens
}

// measure calls f until seconds have passed, once at least after a warm-up, and returns
// the time of each call.
func (e Env) measure(f func() error) ([]float64, error) {
	if err := f(); err != nil {
		return nil, err
	}
	var times []float64
	for total := 0.0; total < e.Seconds || len(times) == 0; {
		start := e.Now()
		if err := f(); err != nil {
			return nil, err
		}
		t := e.Now().Sub(start).Seconds()
		times, total = append(times, t), total+t
	}
	slices.Sort(times)
	return times, nil
}

func median(sorted []float64) float64 { return sorted[len(sorted)/2] }

// peakRSS returns the most memory that the process has held, in bytes.
func peakRSS() int64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return u.Maxrss << 10 // Linux counts in KiB
}
