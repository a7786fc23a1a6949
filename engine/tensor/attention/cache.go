package attention

import (
	"slices"
	"sync/atomic"

	"outcrop.dev/outcrop/engine/tensor/gemm"
)

// PageTokens is how many tokens share a page of a Cache.
const PageTokens = gemm.PageLen

// Cache keeps the keys and values of one document in one layer, packed as the products with
// queries and with probabilities read them, in pages of PageTokens tokens. It grows as
// tokens come. A Cache takes part in one ForwardCached at a time, but caches may share pages.
type Cache struct {
	keys, values []gemm.Paged // of each key head
	pages        []*page
	length       int // tokens
}

// page holds the keys and values of all heads for some tokens: keys of head 0, its values,
// keys of head 1, ...
type page struct {
	words  []uint32
	shared atomic.Bool // by another cache too: it must not be written to
}

// NewCache returns an empty cache of keys and values packed for kernel.
func NewCache(kernel *gemm.Kernel, s Shape) *Cache {
	c := &Cache{}
	for range s.KVHeads {
		c.keys = append(c.keys, gemm.Paged{Kernel: kernel, Width: s.HeadSize, Columns: true})
		c.values = append(c.values, gemm.Paged{Kernel: kernel, Width: s.HeadSize})
	}
	return c
}

// PageBytes returns the memory of a page.
func PageBytes(kernel *gemm.Kernel, s Shape) int { return 4 * NewCache(kernel, s).pageWords() }

func (c *Cache) pageWords() int {
	return len(c.keys) * (c.keys[0].PageWords() + c.values[0].PageWords())
}

// Len returns how many tokens the cache holds.
func (c *Cache) Len() int { return c.length }

// Truncate forgets all but the first tokens tokens. Panics if there are fewer.
func (c *Cache) Truncate(tokens int) {
	if tokens < 0 || tokens > c.length {
		panic("attention: Truncate beyond the cache")
	}
	if tokens == c.length {
		return
	}
	c.length = tokens
	c.keep((tokens + PageTokens - 1) / PageTokens)
	if i := tokens % PageTokens; i > 0 {
		last := len(c.pages) - 1
		c.own(last)
		for h := range c.values {
			c.values[h].Clear(c.values[h].Pages[last], i)
		}
	}
}

// Prefix returns a cache that holds the first tokens tokens of c. The pages are shared: a
// page that is not full is copied by whoever writes to it first. Panics if there are fewer.
func (c *Cache) Prefix(tokens int) *Cache {
	if tokens < 0 || tokens > c.length {
		panic("attention: Prefix beyond the cache")
	}
	p := &Cache{keys: slices.Clone(c.keys), values: slices.Clone(c.values), length: c.length}
	p.pages = slices.Clone(c.pages)
	for h := range p.keys {
		p.keys[h].Pages, p.values[h].Pages = slices.Clone(c.keys[h].Pages), slices.Clone(c.values[h].Pages)
	}
	for _, page := range p.pages[:(tokens+PageTokens-1)/PageTokens] {
		page.shared.Store(true)
	}
	p.Truncate(tokens)
	return p
}

// grow makes room for the tokens from Len to tokens.
func (c *Cache) grow(tokens int) {
	if c.length%PageTokens > 0 {
		c.own(len(c.pages) - 1)
	}
	for len(c.pages)*PageTokens < tokens {
		c.pages = append(c.pages, nil)
		for h := range c.keys {
			c.keys[h].Pages, c.values[h].Pages = append(c.keys[h].Pages, nil), append(c.values[h].Pages, nil)
		}
		c.set(len(c.pages)-1, gemm.NewPage(c.pageWords()))
	}
}

// own copies page i if it is shared.
func (c *Cache) own(i int) {
	if c.pages[i].shared.Load() {
		words := gemm.NewPage(len(c.pages[i].words))
		copy(words, c.pages[i].words)
		c.set(i, words)
	}
}

// set makes words the page i.
func (c *Cache) set(i int, words []uint32) {
	c.pages[i] = &page{words: words}
	for h := range c.keys {
		k, v := c.keys[h].PageWords(), c.values[h].PageWords()
		c.keys[h].Pages[i], c.values[h].Pages[i] = words[:k], words[k:k+v]
		words = words[k+v:]
	}
}

// keep drops all but the first n pages.
func (c *Cache) keep(n int) {
	c.pages = slices.Delete(c.pages, n, len(c.pages))
	for h := range c.keys {
		c.keys[h].Pages = slices.Delete(c.keys[h].Pages, n, len(c.keys[h].Pages))
		c.values[h].Pages = slices.Delete(c.values[h].Pages, n, len(c.values[h].Pages))
	}
}
