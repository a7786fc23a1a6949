package infer

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"outcrop.dev/outcrop"
)

// TestLogprobsAgainstDefinition compares with a softmax over sorted tokens.
func TestLogprobsAgainstDefinition(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		logits := make([]float32, 1+r.IntN(50))
		ids := make([]int, len(logits))
		var sum float64
		for i := range logits {
			logits[i], ids[i] = float32(r.IntN(9))-4, i // many are equal
			sum += math.Exp(float64(logits[i]))
		}
		slices.SortStableFunc(ids, func(a, b int) int { return cmp.Compare(logits[b], logits[a]) })
		l := likeliest{count: 1 + r.IntN(outcrop.LogprobsMax), bytes: func(id int32) []byte { return []byte{byte(id)} }}
		token := r.IntN(len(logits))
		got := l.of(logits, token)
		if len(got.Top) != min(l.count, len(logits)) || got.Token != token {
			t.Fatalf("%d of %d tokens, and %d, not %d", len(got.Top), l.count, got.Token, token)
		}
		for i, p := range append(got.Top, got.Logprob) {
			id := token
			if i < len(got.Top) {
				id = ids[i]
			}
			want := float64(logits[id]) - math.Log(sum)
			if p.Token != id || math.Abs(p.Logprob-want) > 1e-12 || string(p.Text) != string([]byte{byte(id)}) {
				t.Fatalf("place %d: %+v, want token %d with %v", i, p, id, want)
			}
		}
	}
}

// TestImpossibleTokens are not shown.
func TestImpossibleTokens(t *testing.T) {
	t.Parallel()
	l := likeliest{count: 5, bytes: func(int32) []byte { return nil }}
	inf := float32(math.Inf(-1))
	if got := l.of([]float32{inf, 0, inf, 0}, 1); len(got.Top) != 2 || got.Logprob.Logprob != -math.Ln2 {
		t.Errorf("got %+v", got)
	}
}

// TestLogprobsOfAnswers: there is one entry for each token, the greedy token is the first of its
// own, and asking changes nothing else.
func TestLogprobsOfAnswers(t *testing.T) {
	t.Parallel()
	dir := tinyModel(t, tinyContext, letters)
	e := newEngine(t, Options{})
	req := ask(dir, "basalt", 30)
	want := generate(t, e, req)
	req.Logprobs = 3
	got := generate(t, e, req)
	text := ""
	for i, p := range got.Logprobs {
		if len(p.Top) != 3 || p.Top[0].Token != p.Token || p.Top[0].Logprob != p.Logprob.Logprob || p.Top[1].Logprob > p.Top[0].Logprob {
			t.Errorf("token %d: %+v", i, p)
		}
		text += string(p.Text)
	}
	if text != got.Text || len(got.Logprobs) != got.OutputTokens {
		t.Errorf("%d logprobs of %q, for %d of %q", len(got.Logprobs), text, got.OutputTokens, got.Text)
	}
	if got.Logprobs = nil; !same(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	req.Logprobs = outcrop.LogprobsMax + 1
	if got := generate(t, e, req); len(got.Logprobs[0].Top) != outcrop.LogprobsMax {
		t.Errorf("%d likely tokens are shown", len(got.Logprobs[0].Top))
	}
}
