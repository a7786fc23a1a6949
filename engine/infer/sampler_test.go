package infer

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

var inf = float32(math.Inf(1))

func TestGreedy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		logits []float32
		want   int
	}{
		{[]float32{1, 3, 2}, 1},
		{[]float32{5}, 0},
		{[]float32{2, 7, 7}, 1}, // the first of equals
		{[]float32{-inf, -4, -inf}, 1},
	} {
		s := sampler{topP: 1}
		if got, err := s.next(c.logits, 0); got != c.want || err != nil {
			t.Errorf("%v: got %d, %v; want %d", c.logits, got, err, c.want)
		}
	}
}

func TestBrokenLogits(t *testing.T) {
	t.Parallel()
	nan := float32(math.NaN())
	for _, logits := range [][]float32{{}, {-inf, -inf}, {1, nan}, {nan, 1}, {1, inf}} {
		for _, s := range []sampler{{topP: 1}, {temperature: 1, topP: 1}, {temperature: 1, topP: 0.5, topK: 2}} {
			if id, err := s.next(logits, 0); err == nil {
				t.Errorf("%v: got %d and no error", logits, id)
			}
		}
	}
}

// TestSamplerShares counts draws against the probabilities that the definition gives.
func TestSamplerShares(t *testing.T) {
	t.Parallel()
	logits := []float32{1, 2, 0, 3, 2, -inf}
	for _, c := range []sampler{
		{temperature: 1, topP: 1},
		{temperature: 0.5, topP: 1},
		{temperature: 1, topP: 1, topK: 2},
		{temperature: 1, topP: 1, topK: 100},
		{temperature: 1, topP: 0.8},
		{temperature: 1, topP: 0.01},
		{temperature: 0.7, topP: 0.9, topK: 3},
		{temperature: 1e-9, topP: 0.9},
	} {
		want := shares(c, logits)
		const draws = 40_000
		got := make([]float64, len(logits))
		for i := range draws {
			id, err := c.next(logits, i)
			if err != nil {
				t.Fatal(err)
			}
			got[id] += 1.0 / draws
		}
		for id := range want {
			// four standard deviations of a share from this many draws
			if d := 4 * math.Sqrt(want[id]*(1-want[id])/draws); math.Abs(got[id]-want[id]) > d+1e-9 {
				t.Errorf("t=%v p=%v k=%v: token %d drawn %.4f, want %.4f ± %.4f", c.temperature, c.topP, c.topK, id, got[id], want[id], d)
			}
		}
	}
}

// shares returns the probability of each token, by sorting: the definition.
func shares(s sampler, logits []float32) []float64 {
	ids := make([]int, len(logits))
	p := make([]float64, len(logits))
	for i := range ids {
		ids[i] = i
		p[i] = math.Exp(float64(logits[i]) / s.temperature)
		if s.temperature < 1e-3 {
			p[i] = 0
		}
	}
	if s.temperature < 1e-3 {
		p[slices.Index(logits, slices.Max(logits))] = 1
	}
	slices.SortStableFunc(ids, func(a, b int) int {
		return int(math.Copysign(1, float64(logits[b]-logits[a]))) * b2i(logits[a] != logits[b])
	})
	cut := len(ids)
	if s.topK > 0 {
		cut = min(cut, s.topK)
	}
	var total, sum float64
	for _, id := range ids[:cut] {
		total += p[id]
	}
	out := make([]float64, len(logits))
	var kept []int
	for _, id := range ids[:cut] {
		if len(kept) > 0 && sum >= s.topP*total {
			break
		}
		kept = append(kept, id)
		sum += p[id]
	}
	for _, id := range kept {
		out[id] = p[id] / sum
	}
	return out
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestSamplerDependsOnSeedAndPositionOnly(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	logits := make([]float32, 500)
	for i := range logits {
		logits[i] = r.Float32() * 4
	}
	draw := func(seed uint64, positions []int) map[int]int {
		s := sampler{temperature: 1, topP: 0.95, seed: seed}
		got := map[int]int{}
		for _, p := range positions {
			id, err := s.next(logits, p)
			if err != nil {
				t.Fatal(err)
			}
			got[p] = id
		}
		return got
	}
	forward, backward := draw(7, []int{0, 1, 2, 3, 4, 5}), draw(7, []int{5, 4, 3, 2, 1, 0})
	same := true
	for p, id := range forward {
		if backward[p] != id {
			t.Errorf("position %d: %d, then %d", p, id, backward[p])
		}
		same = same && id == forward[0]
	}
	if same {
		t.Error("every position draws the same token")
	}
	if other := draw(8, []int{0, 1, 2, 3, 4, 5}); other[0] == forward[0] && other[1] == forward[1] && other[2] == forward[2] {
		t.Error("another seed draws the same tokens")
	}
}

// TestUniform checks mean, spread and correlation of neighbours, for which a counter-based
// generator is most easily wrong.
func TestUniform(t *testing.T) {
	t.Parallel()
	const n = 100_000
	var sum, sq, lag, seeds float64
	for i := range n {
		x := uniform(42, i)
		if x < 0 || x >= 1 {
			t.Fatalf("position %d: %v", i, x)
		}
		sum += x
		sq += (x - 0.5) * (x - 0.5)
		lag += (x - 0.5) * (uniform(42, i+1) - 0.5)
		seeds += (uniform(uint64(i), 0) - 0.5) * (uniform(uint64(i+1), 0) - 0.5)
	}
	sigma := 1 / math.Sqrt(n)
	for _, c := range []struct {
		name            string
		got, want, unit float64
	}{
		{"mean", sum / n, 0.5, math.Sqrt(1.0 / 12)},
		{"variance", sq / n, 1.0 / 12, math.Sqrt(1.0 / 180)},
		{"correlation of positions", lag / n, 0, 1.0 / 12},
		{"correlation of seeds", seeds / n, 0, 1.0 / 12},
	} {
		if math.Abs(c.got-c.want) > 4*sigma*c.unit {
			t.Errorf("%s: %v, want %v", c.name, c.got, c.want)
		}
	}
}

func BenchmarkSampler(b *testing.B) {
	r := rand.New(rand.NewPCG(3, 4))
	logits := make([]float32, 8192)
	for i := range logits {
		logits[i] = r.Float32() * 10
	}
	for _, c := range []struct {
		name string
		s    sampler
	}{{"greedy", sampler{topP: 1}}, {"all", sampler{temperature: 0.7, topP: 1}}, {"nucleus", sampler{temperature: 0.7, topP: 0.9}}} {
		b.Run(c.name, func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				if _, err := c.s.next(logits, i); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
