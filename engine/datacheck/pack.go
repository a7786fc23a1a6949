package datacheck

// Packer fills rows with documents: each goes into the row of the one before it if that has
// room, and otherwise begins another. The zero value is before the first document.
type Packer struct {
	Rows int // so far
	room int // tokens left in the last one
}

// Add puts a document of so many tokens, the longer ones cut, into rows.
func (p *Packer) Add(tokens, rowTokens int) {
	for ; tokens > 0; tokens -= min(tokens, rowTokens) {
		if n := min(tokens, rowTokens); n > p.room {
			p.Rows, p.room = p.Rows+1, rowTokens-n
		} else {
			p.room -= n
		}
	}
}
