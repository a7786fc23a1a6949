package bench

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/gemm"
	"outcrop.dev/outcrop/format/tokenizer"
	"outcrop.dev/outcrop/models/catalog"
)

// TestInt8Answers: with weights of eight bits, Pebble's perplexity on the repository's own
// documents is within half a per cent of that with bfloat16, and it chooses another likeliest
// token at few positions. Those are near ties: where it differs, the probabilities differ by
// little too.
func TestInt8Answers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	models, err := catalog.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	m, ok := models.Lookup(catalog.PebbleID)
	if !ok {
		t.Fatal(models.Problems())
	}
	tok, err := tokenizer.Load(filepath.Join(m.Dir, "tokenizer.json"))
	if err != nil {
		t.Fatal(err)
	}
	var tokens []int32
	for _, name := range []string{"README.md", "ARCHITECTURE.md"} {
		text, err := os.ReadFile(filepath.Join("..", "..", name))
		if err != nil {
			t.Fatal(err)
		}
		ids, err := tok.Encode(string(text))
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, ids...)
	}
	half, eight := read(t, m.Dir, tokens, false), read(t, m.Dir, tokens, true)
	same := 0
	for i, token := range half.likeliest {
		if eight.likeliest[i] == token {
			same++
		}
	}
	n := len(half.likeliest)
	t.Logf("%d tokens: perplexity %.4f with bf16 and %.4f with int8; the same likeliest token at %.2f%%",
		n, math.Exp(half.loss), math.Exp(eight.loss), 100*float64(same)/float64(n))
	if ratio := math.Exp(eight.loss - half.loss); !(ratio < 1.005) {
		t.Errorf("perplexity grows by a factor of %g", ratio)
	}
	if float64(same) < 0.97*float64(n) {
		t.Errorf("the same likeliest token at %d of %d positions only", same, n)
	}
}

// reading is what a model thinks of a text.
type reading struct {
	loss      float64 // mean, nats
	likeliest []int
}

// read takes the first tokens through the model in dir, in documents of 256, one token at a time, all
// documents together.
func read(t *testing.T, dir string, tokens []int32, int8 bool) (r reading) {
	t.Helper()
	const length, documents = 256, 8
	p := tensor.NewPool(2)
	defer p.Close()
	s, err := model.LoadServing(dir, nn.Exec{Pool: p, Kernel: gemm.Best(), Int8: int8})
	if err != nil {
		t.Fatal(err)
	}
	var steps []model.Step
	for range min(len(tokens)/length, documents) {
		n, err := s.NewSession(length)
		if err != nil {
			t.Fatal(err)
		}
		steps = append(steps, model.Step{Session: n})
	}
	for at := range length - 1 {
		for i := range steps {
			steps[i].Tokens = tokens[i*length+at:][:1]
		}
		logits, err := s.Forward(steps)
		if err != nil {
			t.Fatal(err)
		}
		for i := range steps {
			loss, best := crossEntropy(logits[i*s.Vocab:(i+1)*s.Vocab], int(tokens[i*length+at+1]))
			r.loss, r.likeliest = r.loss+loss, append(r.likeliest, best)
		}
	}
	r.loss /= float64(len(r.likeliest))
	return r
}

// crossEntropy returns the loss of a row of logits, and the largest of them.
func crossEntropy(row []float32, target int) (loss float64, best int) {
	for j, x := range row {
		if x > row[best] {
			best = j
		}
	}
	sum := 0.0
	for _, x := range row {
		sum += math.Exp(float64(x - row[best]))
	}
	return math.Log(sum) - float64(row[target]-row[best]), best
}
