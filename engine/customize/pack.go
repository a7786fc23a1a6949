package customize

import (
	"outcrop.dev/outcrop/engine/datacheck"
	"outcrop.dev/outcrop/engine/train"
)

// split cuts examples into pieces of at most the given number of tokens, in order. No target
// is lost: each piece goes on where the one before ended, but does not see it.
func split(examples []train.Example, tokens int) (pieces []train.Example) {
	for _, e := range examples {
		for len(e.Tokens) > tokens {
			pieces = append(pieces, train.Example{Tokens: e.Tokens[:tokens], Targets: e.Targets[:tokens]})
			e = train.Example{Tokens: e.Tokens[tokens:], Targets: e.Targets[tokens:]}
		}
		pieces = append(pieces, e)
	}
	return pieces
}

// pack returns where, among pieces, each row of at most rowTokens tokens ends (train.Rows.Packs), as
// datacheck.Packer fills them.
func pack(pieces []train.Example, rowTokens int) (ends []int) {
	var p datacheck.Packer
	for i, e := range pieces {
		rows := p.Rows
		if p.Add(len(e.Tokens), rowTokens); p.Rows > rows || ends == nil {
			ends = append(ends, i)
		}
		ends[len(ends)-1] = i + 1
	}
	return ends
}
