package train

// Split cuts examples into pieces of at most the given number of tokens, in order. No target
// is lost: each piece goes on where the one before ended, but does not see it.
func Split(examples []Example, tokens int) (pieces []Example) {
	for _, e := range examples {
		for len(e.Tokens) > tokens {
			pieces = append(pieces, Example{e.Tokens[:tokens], e.Targets[:tokens]})
			e = Example{e.Tokens[tokens:], e.Targets[tokens:]}
		}
		pieces = append(pieces, e)
	}
	return pieces
}

// Packer fills rows with documents: each goes into the row of the one before it if that has
// room, and otherwise begins another. The zero value is before the first document.
type Packer struct {
	Rows int // so far
	room int // tokens left in the last one
}

// Add puts a document of so many tokens, cut as Split does, into rows.
func (p *Packer) Add(tokens, rowTokens int) {
	for ; tokens > 0; tokens -= min(tokens, rowTokens) {
		if n := min(tokens, rowTokens); n > p.room {
			p.Rows, p.room = p.Rows+1, rowTokens-n
		} else {
			p.room -= n
		}
	}
}

// Pack returns where, among pieces, each row of at most rowTokens tokens ends (Rows.Packs), as
// Packer fills them.
func Pack(pieces []Example, rowTokens int) (ends []int) {
	var p Packer
	for i, e := range pieces {
		rows := p.Rows
		if p.Add(len(e.Tokens), rowTokens); p.Rows > rows || ends == nil {
			ends = append(ends, i)
		}
		ends[len(ends)-1] = i + 1
	}
	return ends
}
