package bedrockruntime

import "outcrop.dev/outcrop"

// tokenLogprobs is a generated token with what the model thought of it and of the likeliest in its
// place. It is Outcrop's own; clients of other servers know the same members.
type tokenLogprobs struct {
	tokenLogprob
	Top []tokenLogprob `json:"topLogprobs"`
}

type tokenLogprob struct {
	Token   string  `json:"token"`   // with U+FFFD where it is a part of a character
	Bytes   []int   `json:"bytes"`   // exactly
	ID      int     `json:"tokenId"` // in the model's vocabulary
	Logprob float64 `json:"logprob"` // natural logarithm
}

// logprobs returns what a result says about its tokens, nil if nobody asked.
func logprobs(res outcrop.GenerateResult) []tokenLogprobs {
	var all []tokenLogprobs
	for _, t := range res.Logprobs {
		one := tokenLogprobs{newTokenLogprob(t.Logprob), make([]tokenLogprob, len(t.Top))}
		for i, top := range t.Top {
			one.Top[i] = newTokenLogprob(top)
		}
		all = append(all, one)
	}
	return all
}

func newTokenLogprob(p outcrop.Logprob) tokenLogprob {
	t := tokenLogprob{Token: string([]rune(string(p.Text))), Bytes: make([]int, len(p.Text)), ID: p.Token, Logprob: p.Logprob}
	for i, b := range p.Text {
		t.Bytes[i] = int(b)
	}
	return t
}

// logprobs reads how many likely tokens an answer is to show for each of its own.
func (b *body) logprobs(at string, raw []byte, req *outcrop.GenerateRequest) {
	n := int64(req.Logprobs)
	b.integer(at, raw, 0, outcrop.LogprobsMax, &n)
	req.Logprobs = int(n)
}
