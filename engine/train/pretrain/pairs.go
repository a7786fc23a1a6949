package pretrain

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/engine/tensor/loss"
	"outcrop.dev/outcrop/engine/train"
)

// MinimalPairs is how often the model finds the grammatical sentence of a pair likelier
// than the other (Warstadt et al. 2020, arXiv:1912.00582).
type MinimalPairs struct {
	Pairs   int     `json:"pairs"`
	Percent float64 `json:"percent"`
}

// pairsTokens is how many tokens of sentences, besides one longest one, are judged at a time:
// their logits exist at once.
const pairsTokens = 1024

// minimalPairs judges the pairs of a file of {"good","bad"} lines. The first token of a
// sentence is given, not judged.
func (r *run) minimalPairs(path string) (*MinimalPairs, error) {
	e, err := r.sentences(path)
	if err != nil {
		return nil, err
	}
	costs, err := r.costs(e)
	if err != nil {
		return nil, err
	}
	right := 0
	for i := 0; i < len(costs); i += 2 {
		if costs[i] < costs[i+1] {
			right++
		}
	}
	n := len(costs) / 2
	return &MinimalPairs{Pairs: n, Percent: 100 * float64(right) / float64(max(n, 1))}, nil
}

// sentences returns good and bad in turns.
func (r *run) sentences(path string) (es []train.Example, err error) {
	in, err := open(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	lines := bufio.NewReader(in)
	for number := 1; ; number++ {
		b, err := readLine(lines)
		if errors.Is(err, io.EOF) {
			return es, nil
		}
		var pair struct{ Good, Bad string }
		if err == nil {
			err = json.Unmarshal(b, &pair)
		}
		for _, s := range []string{pair.Good, pair.Bad} {
			var tokens []int32
			if err == nil {
				tokens, err = r.data.tok.Encode(s)
			}
			if n := len(tokens); err == nil && (n < 2 || n > r.Stages[0].Sequence) {
				err = fmt.Errorf("a sentence of %d tokens: it must have 2 to %d", n, r.Stages[0].Sequence)
			}
			if err != nil {
				return nil, fmt.Errorf("%s: line %d: %w", path, number, err)
			}
			es = append(es, train.NewExample(tokens, 0))
		}
	}
}

// costs returns the cross-entropy of each example, summed over its tokens.
func (r *run) costs(es []train.Example) (costs []float64, err error) {
	limit := min(pairsTokens+r.longest(), max(r.MicroTokens, r.longest()))
	logits := make([]float32, limit*r.model.Vocab)
	for len(es) > 0 {
		b := &model.Batch{}
		n := 0
		for ; n < len(es) && len(b.Tokens)+len(es[n].Tokens) <= limit; n++ {
			b.Add(es[n].Tokens, es[n].Targets)
		}
		if err := r.model.Logits(logits, b); err != nil {
			return nil, err
		}
		for _, s := range b.Segments {
			sum := 0.0
			for i := s.Start; i < s.Start+s.Len; i++ {
				l, _ := loss.Row(logits[i*r.model.Vocab:(i+1)*r.model.Vocab], int(b.Targets[i]))
				sum += float64(l)
			}
			costs = append(costs, sum)
		}
		es = es[n:]
	}
	return costs, nil
}
