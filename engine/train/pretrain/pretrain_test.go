package pretrain

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/engine/nn"
	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/gemm"
	"outcrop.dev/outcrop/engine/train"
)

const tokenizerDir = "../../../models/catalog/pebble"

// numbered is a corpus of documents whose tokens are 0, 1, 2, … over all documents.
func numbered(lengths ...int) *corpus {
	c := &corpus{}
	next := int32(0)
	for _, n := range lengths {
		var tokens []int32
		for range n {
			tokens = append(tokens, next)
			next++
		}
		c.add(tokens)
	}
	return c
}

// TestStream: an epoch deals every target once, in an order of its own, whatever the steps;
// pieces keep to documents and to the length of a sequence.
func TestStream(t *testing.T) {
	t.Parallel()
	s := newStream(numbered(5, 1, 2, 23, 9), 8, 1)
	var want []int32 // all but the first token of each document
	for i := range int32(40) {
		if !slices.Contains([]int32{0, 5, 6, 8, 31}, i) {
			want = append(want, i)
		}
	}
	if s.total != len(want) {
		t.Fatalf("an epoch has %d tokens, want %d", s.total, len(want))
	}
	dealt := func(from, to, step int) (targets []int32) {
		for ; from < to; from += step {
			s.take(from, min(from+step, to), func(e train.Example) {
				if len(e.Tokens) > 8 || len(e.Tokens) != len(e.Targets) {
					t.Errorf("a piece of %d tokens and %d targets", len(e.Tokens), len(e.Targets))
				}
				for i, x := range e.Tokens {
					if e.Targets[i] != x+1 {
						t.Errorf("target %d after %d", e.Targets[i], x)
					}
				}
				targets = append(targets, e.Targets...)
			})
		}
		return targets
	}
	first := dealt(0, s.total, 3)
	for epoch, got := range [][]int32{first, dealt(s.total, 2*s.total, 10), dealt(0, 2*s.total, 7)[s.total:]} {
		if got := slices.Sorted(slices.Values(got)); !slices.Equal(got, want) {
			t.Errorf("epoch %d deals %v", epoch, got)
		}
	}
	if slices.Equal(first, dealt(s.total, 2*s.total, 3)) {
		t.Error("two epochs have one order")
	}
	if !slices.Equal(first, dealt(0, s.total, 3)) {
		t.Error("the first epoch asked for again is another")
	}
}

func TestMixShares(t *testing.T) {
	t.Parallel()
	c := Config{Steps: 20, BatchTokens: 100, Stages: []Stage{{0.5, 0.1, 8}, {1, 0.6, 8}}}
	corpora := map[int]*stream{8: newStream(numbered(5000), 8, 1)}
	instruct := numbered(20000)
	instruct.tokens = instruct.tokens[10000:] // ids that tell the two apart
	instruct.ends = []int{10000}
	m := newMix(c, corpora, map[int]*stream{8: newStream(instruct, 8, 2)})
	seen := map[int32]bool{}
	share := func(from, to int) float64 {
		all, some := 0, 0
		for step := from; step < to; step++ {
			n := 0
			for _, e := range m.Examples(step) {
				n += len(e.Tokens)
				if e.Tokens[0] >= 10000 {
					some += len(e.Tokens)
				}
				if seen[e.Targets[0]] {
					t.Errorf("step %d: a piece comes again within an epoch", step)
				}
				seen[e.Targets[0]] = true
			}
			if n < 100-14 || n > 100+14 {
				t.Errorf("step %d has %d tokens", step, n)
			}
			all += n
		}
		return float64(some) / float64(all)
	}
	if a, b := share(0, 10), share(10, 20); a < 0.08 || a > 0.12 || b < 0.57 || b > 0.63 {
		t.Errorf("shares %.3f and %.3f, want 0.1 and 0.6", a, b)
	}
}

func TestFilter(t *testing.T) {
	t.Parallel()
	f := filter{groups: []string{"books"}}
	for _, c := range []struct {
		line
		want bool
	}{
		{line{Licence: "CC BY 4.0"}, true},
		{line{Licence: "public domain (USA)"}, true},
		{line{Licence: "CC BY-SA 4.0"}, false},
		{line{Licence: "CC BY-NC-SA 4.0"}, false},
		{line{Licence: "PD-US, CC0 (author died 1983: may be in copyright outside US)"}, false},
		{line{Licence: "CC0", Group: "books"}, false},
	} {
		if f.keep(c.line) != c.want {
			t.Errorf("%+v: kept %v", c.line, !c.want)
		}
	}
	if !(filter{all: true}).keep(line{Licence: "CC BY-SA 4.0"}) {
		t.Error("validation leaves a line out")
	}
}

func TestReadLine(t *testing.T) {
	t.Parallel()
	read := func(n int) ([]byte, error) {
		r := bufio.NewReaderSize(strings.NewReader(strings.Repeat("x", n-1)+"\nnext"), 1<<16)
		return readLine(r)
	}
	if b, err := read(lineBytesMax); err != nil || len(b) != lineBytesMax {
		t.Errorf("a line at the limit: %d bytes, %v", len(b), err)
	}
	if _, err := read(lineBytesMax + 1); err == nil {
		t.Error("a line beyond the limit is read")
	}
	r := bufio.NewReader(strings.NewReader("a\nb"))
	for _, want := range []string{"a\n", "b"} {
		if b, err := readLine(r); err != nil || string(b) != want {
			t.Errorf("%q, %v", b, err)
		}
	}
	if _, err := readLine(r); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
}

// writeFiles makes a small corpus, compressed, and instructions.
func writeFiles(t *testing.T, dir string) (corpus, instruct string) {
	t.Helper()
	corpus, instruct = filepath.Join(dir, "c.jsonl.zst"), filepath.Join(dir, "i.jsonl")
	f, err := os.Create(corpus)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := zstd.NewWriter(f)
	if err != nil {
		t.Fatal(err)
	}
	var rows strings.Builder
	for i := range 40 {
		licence := "CC0"
		if i%4 == 0 {
			licence = "CC BY-SA 4.0"
		}
		fmt.Fprintf(z, `{"text":"The %dth stone lies by the river. It is grey, and it is cold.","licence":%q,"source":"stones"}`+"\n", i, licence)
		fmt.Fprintf(&rows, `{"prompt":"Count to %d.","completion":"%d","licence":"CC0","source":"counting"}`+"\n", i, i)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(instruct, []byte(rows.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	return corpus, instruct
}

// writePairs makes sentences that the corpus holds beside the same in another order.
func writePairs(t *testing.T, dir string) string {
	path := filepath.Join(dir, "pairs.jsonl")
	line := `{"good":"The 3th stone lies by the river.","bad":"River the stone by 3th lies the."}` + "\n"
	if err := os.WriteFile(path, []byte(strings.Repeat(line, 3)), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func testConfig(t *testing.T) Config {
	corpus, instruct := writeFiles(t, t.TempDir())
	return Config{
		Name: "Test", MinimalPairs: writePairs(t, filepath.Dir(corpus)), Model: json.RawMessage(`{"model_type":"llama","hidden_size":16,"intermediate_size":24,"num_hidden_layers":1,
			"num_attention_heads":2,"vocab_size":8192,"max_position_embeddings":32,"tie_word_embeddings":true,"torch_dtype":"bfloat16"}`),
		Tokenizer: tokenizerDir, Corpus: []string{corpus}, Instruct: []string{instruct},
		CorpusValidation: corpus, InstructValidation: instruct, ValidationTokens: 100,
		Steps: 8, BatchTokens: 100, MicroTokens: 64, LearningRate: 1e-2, WeightDecay: 0.1, DecayShare: 0.3,
		Stages: []Stage{{0.6, 0.2, 16}, {1, 0.5, 32}}, Seed: 1, ValidateEvery: 3, CheckpointSeconds: 1,
	}
}

// testEnv has a clock that goes on half a second a look, and calls each with every line.
func testEnv(t *testing.T, each func(line string)) Env {
	p := tensor.NewPool(2)
	t.Cleanup(p.Close)
	now := time.Unix(0, 0)
	return Env{
		Exec: nn.Exec{Pool: p, Kernel: gemm.Best()}, Dir: t.TempDir(), Threads: 2, Log: lines(each),
		Now: func() time.Time { now = now.Add(time.Second / 2); return now },
	}
}

type lines func(string)

func (l lines) Write(b []byte) (int, error) { l(string(b)); return len(b), nil }

// TestRun: a run that is stopped and started again makes the same model, byte for byte, as
// one that is not, and says what was left out.
func TestRun(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	if err := c.check(); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	whole := testEnv(t, func(s string) { log.WriteString(s) })
	if err := Run(t.Context(), c, whole); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"corpus: 30 documents", "10 lines left out", "step 3/8", "validation corpus", "bits/byte"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %q:\n%s", want, log.String())
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	part := testEnv(t, func(s string) {
		if strings.Contains(s, " step 4/8") {
			stop()
		}
	})
	if err := Run(ctx, c, part); !errors.Is(err, context.Canceled) {
		t.Fatalf("stopped run: %v", err)
	}
	if err := Run(t.Context(), c, part); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{model.WeightsFile, RecordFile, model.ConfigFile, "tokenizer.json", cardFile} {
		a, err := os.ReadFile(filepath.Join(whole.Dir, modelDir, f))
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(part.Dir, modelDir, f))
		if err != nil {
			t.Fatal(err)
		}
		if string(a) != string(b) {
			t.Errorf("%s differs after a stop", f)
		}
	}
}

// TestCard: the card names every source with its licence and count, and what was measured.
func TestCard(t *testing.T) {
	t.Parallel()
	e := testEnv(t, func(string) {})
	c := testConfig(t)
	c.Steps = 20
	if err := Run(t.Context(), c, e); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(e.Dir, modelDir, cardFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# Test\n", "| stones | CC0 | 30 |", "| counting | CC0 | 40 |", "100.0 % of 3 ", "70 records; 10 were left out"} {
		if !strings.Contains(string(b), want) {
			t.Errorf("the card does not say %q:\n%s", want, b)
		}
	}
}

// TestExport writes the model of a run that was stopped, and refuses where there is none.
func TestExport(t *testing.T) {
	t.Parallel()
	c := testConfig(t)
	ctx, stop := context.WithCancel(t.Context())
	e := testEnv(t, func(s string) {
		if strings.Contains(s, " step 2/8") {
			stop()
		}
	})
	if err := Export(c, e); err == nil || !strings.Contains(err.Error(), "no checkpoint") {
		t.Errorf("nothing to export: %v", err)
	}
	if err := Run(ctx, c, e); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if err := Export(c, e); err != nil {
		t.Fatal(err)
	}
	var x Record
	b, err := os.ReadFile(filepath.Join(e.Dir, modelDir, RecordFile))
	if err == nil {
		err = json.Unmarshal(b, &x)
	}
	if err != nil || x.Steps != 2 || x.StepsPlanned != 8 || x.MinimalPairs.Pairs != 3 {
		t.Errorf("record %+v, %v", x, err)
	}
}

// TestSources: parts of a collection are named, unless they are too many.
func TestSources(t *testing.T) {
	t.Parallel()
	for _, n := range []int{partsMax, partsMax + 1} {
		c := &corpus{origins: map[origin]int{{"books/1/chapter", "CC0"}: 2, {"books/1/preface", "CC0"}: 3, {"one", "CC0"}: 1}}
		for i := range n {
			c.origins[origin{fmt.Sprint("many/", i), "CC0"}] = 1
		}
		list := sources(c)
		want, rows := cardSource{origin{"books/1", "CC0"}, 5}, 2+n
		if n > partsMax {
			rows = 3
		}
		if len(list) != rows || list[0] != want {
			t.Errorf("%d parts: %d rows, the first %v", n, len(list), list[0])
		}
		if n > partsMax && list[1] != (cardSource{origin{"many", "CC0"}, n}) {
			t.Errorf("many parts are %v", list[1])
		}
	}
}

func TestConfigRefuses(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Config){
		"model":       func(c *Config) { c.Model = json.RawMessage(`{}`) },
		"name":        func(c *Config) { c.Name = "" },
		"vocabulary":  func(c *Config) { c.Model = json.RawMessage(strings.Replace(string(c.Model), "8192", "70000", 1)) },
		"steps":       func(c *Config) { c.Steps = 0 },
		"corpus":      func(c *Config) { c.Corpus = nil },
		"no stages":   func(c *Config) { c.Stages = nil },
		"last stage":  func(c *Config) { c.Stages[1].Until = 0.9 },
		"order":       func(c *Config) { c.Stages[0].Until = 1 },
		"share":       func(c *Config) { c.Stages[0].Instruct = 1.1 },
		"sequence":    func(c *Config) { c.Stages[1].Sequence = 33 },
		"decay":       func(c *Config) { c.DecayShare = -0.1 },
		"checkpoints": func(c *Config) { c.CheckpointSeconds = 0 },
	} {
		c := testConfig(t)
		change(&c)
		if err := c.check(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestReadConfig(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "c.json")
	b, err := json.Marshal(testConfig(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		content string
		ok      bool
	}{
		{string(b), true},
		{strings.Replace(string(b), `"steps"`, `"stepz"`, 1), false},
		{strings.Repeat(" ", configBytesMax+1), false},
	} {
		if err := os.WriteFile(path, []byte(c.content), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadConfig(path); (err == nil) != c.ok {
			t.Errorf("%.40s: %v", c.content, err)
		}
	}
}

// TestPebble: the configuration of the embedded model can be read.
func TestPebble(t *testing.T) {
	t.Parallel()
	if _, err := ReadConfig("pebble-xs.json"); err != nil {
		t.Error(err)
	}
}
