package attention

import (
	"slices"
	"testing"

	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/gemm"
)

// document is a cache and what is computed over it, row by row.
type document struct {
	a     *Attention
	cache *Cache
	qkv   []float32 // of its tokens, one row each
	out   []float32
}

func (d *document) add(qkv []float32, rows int) {
	at := d.cache.Len()
	d.qkv = append(d.qkv[:at*d.a.Width()], qkv[:rows*d.a.Width()]...)
	d.out = append(d.out[:at*d.a.Heads*d.a.HeadSize], make([]float32, rows*d.a.Heads*d.a.HeadSize)...)
	d.a.ForwardCached(Rule{}, []Cached{{d.cache, Segment{at, rows}, at}}, d.out, d.qkv)
}

// check compares with the whole document at once.
func (d *document) check(t *testing.T, name string) {
	t.Helper()
	n := d.cache.Len()
	want := make([]float32, len(d.out))
	newAttention(t, 1, d.a.kernel, d.a.Shape, n).Forward(Rule{}, []Segment{{0, n}}, want, make([]float32, n*d.a.Heads), d.qkv)
	if !slices.Equal(d.out, want) {
		t.Errorf("%s %s: not what the whole document gives", d.a.kernel.Name(), name)
	}
}

// TestPrefix: caches that share pages, some of them cut short and continued otherwise, do
// not see each other.
func TestPrefix(t *testing.T) {
	t.Parallel()
	s := Shape{4, 2, 16}
	for _, k := range gemm.Kernels() {
		a := NewCached(tensor.NewPool(1), k, s)
		first := &document{a: a, cache: NewCache(k, s)}
		first.add(random(1, 150*s.Width()), 150)
		for _, tokens := range []int{0, 1, PageTokens - 1, PageTokens, PageTokens + 9, 140} {
			d := &document{a: a, cache: first.cache.Prefix(tokens)}
			d.qkv, d.out = slices.Clone(first.qkv[:tokens*s.Width()]), slices.Clone(first.out[:tokens*s.Heads*s.HeadSize])
			for seed := range uint64(5) {
				d.add(random(10+seed, s.Width()), 1)
			}
			d.add(random(20, 70*s.Width()), 70)
			d.check(t, "a document that begins alike")
			first.cache.Truncate(first.cache.Len() - 3)
			first.add(random(30+uint64(tokens), 2*s.Width()), 2)
			first.check(t, "the first document")
			d.check(t, "the other, after the first went on")
		}
	}
}

func TestTruncate(t *testing.T) {
	t.Parallel()
	s := Shape{2, 1, 10}
	for _, k := range gemm.Kernels() {
		d := &document{a: NewCached(tensor.NewPool(1), k, s), cache: NewCache(k, s)}
		d.add(random(1, 140*s.Width()), 140)
		for _, tokens := range []int{139, 131, 128, 101, 64, 63, 1, 0} {
			d.cache.Truncate(tokens)
			d.add(random(uint64(tokens), 2*s.Width()), 2)
			d.add(random(uint64(tokens+1), 1*s.Width()), 1)
			d.check(t, "after Truncate")
		}
	}
}

// TestPageBytes: a cache takes the pages that its tokens need.
func TestPageBytes(t *testing.T) {
	t.Parallel()
	s := Shape{4, 2, 64}
	for _, k := range gemm.Kernels() {
		word := 4
		if k.BF16() {
			word = 2
		}
		if got, want := PageBytes(k, s), 2*2*64*PageTokens*word; got != want {
			t.Errorf("%s: pages of %d bytes, want %d", k.Name(), got, want)
		}
	}
}

func TestCachePanics(t *testing.T) {
	t.Parallel()
	c := NewCache(refKernel(t), Shape{2, 1, 8})
	for name, f := range map[string]func(){
		"Truncate": func() { c.Truncate(1) },
		"Prefix":   func() { c.Prefix(1) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		})
	}
}
