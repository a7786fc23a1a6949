package model

import (
	"math"
	"runtime"
	"slices"
	"testing"
	"weak"

	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/attention"
	"outcrop.dev/outcrop/engine/tensor/gemm"
)

// trainingLogits returns the logits of one document by the training forward pass.
func trainingLogits(t *testing.T, m *Model, tokens []int32) []float32 {
	t.Helper()
	y := make([]float32, len(tokens)*m.Vocab)
	b := &Batch{}
	b.Add(tokens, make([]int32, len(tokens)))
	if err := m.Logits(y, b); err != nil {
		t.Fatal(err)
	}
	return y
}

func servingOf(t testing.TB, m *Model) *Serving {
	t.Helper()
	s, err := m.Serving()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func forward(t *testing.T, s *Serving, steps ...Step) []float32 {
	t.Helper()
	y, err := s.Forward(steps)
	if err != nil {
		t.Fatal(err)
	}
	return y
}

func newSession(t *testing.T, s *Serving) *Session {
	t.Helper()
	n, err := s.NewSession(s.Context)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func sameBits(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
}

// TestServingEqualsTraining: the logits of every position are the same, bit for bit, from
// the training forward pass, from a prompt in one piece, token by token, in two pieces, and
// in a batch with others, with every kernel, one thread and two.
func TestServingEqualsTraining(t *testing.T) {
	t.Parallel()
	for _, k := range gemm.Kernels() {
		for _, tied := range []bool{true, false} {
			t.Run(k.Name(), func(t *testing.T) {
				t.Parallel()
				c := tiny(tied)
				c.Context, c.DType = 300, BFloat16
				m := newModel(t, c, newExec(t, 2, k), Budget{Tokens: 300, Longest: 300})
				if !k.BF16() {
					for _, p := range m.Params() {
						if !p.Vector {
							roundBF16(p.W) // such a kernel sees weights that are rounded only in files
						}
					}
				}
				tokens, other := randomBatch(c, 1, 280).Tokens, randomBatch(c, 2, 270).Tokens
				want := trainingLogits(t, m, tokens)
				s := servingOf(t, m)
				row := func(i int) []float32 { return want[i*c.Vocab : (i+1)*c.Vocab] }

				if got := forward(t, s, Step{newSession(t, s), tokens}); !sameBits(got, row(279)) {
					t.Error("a whole prompt gives other logits")
				}
				one, two, three := newSession(t, s), newSession(t, s), newSession(t, s)
				for i := range tokens {
					if got := forward(t, s, Step{one, tokens[i : i+1]}); !sameBits(got, row(i)) {
						t.Fatalf("token %d alone gives other logits", i)
					}
				}
				got := forward(t, s, Step{three, other}, Step{two, tokens[:130]})
				if !sameBits(got[c.Vocab:], row(129)) {
					t.Error("a prompt in a batch gives other logits")
				}
				for i := 130; i < 140; i++ {
					got := forward(t, s, Step{two, tokens[i : i+1]}, Step{three, other[i-130 : i-129]})
					if !sameBits(got[:c.Vocab], row(i)) {
						t.Fatalf("token %d in a batch gives other logits", i)
					}
				}
			})
		}
	}
}

// TestPrefix: a session that begins as another answers as if it had read everything itself.
func TestPrefix(t *testing.T) {
	t.Parallel()
	for _, k := range gemm.Kernels() {
		c := tiny(true)
		c.Context = 200
		m := newModel(t, c, newExec(t, 2, k), Budget{Tokens: 8, Longest: 8})
		s := servingOf(t, m)
		tokens := randomBatch(m.Config, 5, 190).Tokens
		whole := newSession(t, s)
		forward(t, s, Step{whole, tokens})
		for _, at := range []int{0, 1, 63, 64, 150} {
			n, err := whole.Prefix(at, 200)
			if err != nil {
				t.Fatal(err)
			}
			alone := newSession(t, s)
			if at > 0 {
				forward(t, s, Step{alone, tokens[:at]})
			}
			if got, want := forward(t, s, Step{n, tokens[:9]}), forward(t, s, Step{alone, tokens[:9]}); !sameBits(got, want) || n.Len() != at+9 {
				t.Errorf("%s: a session that shares %d tokens answers otherwise", k.Name(), at)
			}
		}
		if _, err := whole.Prefix(1, 201); err == nil {
			t.Error("Prefix with more tokens than the model has positions: no error")
		}
	}
}

// TestServingForgets: a session that has ended leaves nothing in memory, neither its keys and
// values nor its adapter.
func TestServingForgets(t *testing.T) {
	t.Parallel()
	c := tiny(true)
	s := servingOf(t, newModel(t, c, newExec(t, 2, gemm.Best()), Budget{Tokens: 1, Longest: 1}))
	tokens := randomBatch(c, 1, 9).Tokens
	caches, adapter := func() (caches []weak.Pointer[attention.Cache], adapter weak.Pointer[Adapter]) {
		one, two := newSession(t, s), newSession(t, s)
		two.adapter = &Adapter{owner: s, width: 1}
		forward(t, s, Step{one, tokens[:5]}, Step{two, tokens[:5]})
		forward(t, s, Step{one, tokens[5:6]}, Step{two, tokens[5:6]})
		for _, cache := range slices.Concat(one.caches, two.caches) {
			caches = append(caches, weak.Make(cache))
		}
		return caches, weak.Make(two.adapter)
	}()
	runtime.GC()
	for i, cache := range caches {
		if cache.Value() != nil {
			t.Errorf("cache %d of %d is still in memory", i, len(caches))
		}
	}
	if adapter.Value() != nil {
		t.Error("the adapter is still in memory")
	}
	runtime.KeepAlive(s)
}

// TestServingBytes: what a model will take is known before it is read.
func TestServingBytes(t *testing.T) {
	eachFamily(t, func(t *testing.T, c Config) {
		for _, int8 := range []bool{false, true} {
			for _, dtype := range []DType{Float32, BFloat16} {
				c.DType = dtype
				exec := newExec(t, 1, gemm.Best())
				exec.Int8 = int8
				m := newModel(t, c, exec, Budget{Tokens: 8, Longest: 8})
				gaps := tensor.ArenaAlign * len(m.params) // to where the next matrix begins
				if got, want := c.ServingBytes(exec), servingOf(t, m).Bytes(); got < want || got > want+gaps {
					t.Errorf("%s, int8 %v: %d bytes are told, %d taken", dtype, int8, got, want)
				}
			}
		}
	})
}
