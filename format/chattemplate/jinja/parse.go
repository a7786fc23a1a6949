package jinja

import "slices"

// stmt is a part of a template that writes something or changes variables.
type stmt interface {
	run(s *state, sc *scope, out *builder) flow
}

// flow is how a statement ends.
type flow int

const (
	onward flow = iota
	breaking
	continuing
)

// parser reads statements and expressions from tokens by recursive descent, as
// jinja2/parser.py does, whose rules it has.
type parser struct {
	tokens     []token
	at         int
	depth      int // of blocks and expressions
	loops      int // that the current statement stands in
	generation bool
}

func (p *parser) peek() token { return p.tokens[p.at] }

func (p *parser) next() token {
	t := p.tokens[p.at]
	if t.kind != endToken {
		p.at++
	}
	return t
}

// isOp reports whether the next token is one of these operators.
func (p *parser) isOp(ops ...string) bool {
	t := p.peek()
	return t.kind == operator && slices.Contains(ops, t.text)
}

// isName reports whether the next token is one of these names.
func (p *parser) isName(names ...string) bool {
	t := p.peek()
	return t.kind == nameToken && slices.Contains(names, t.text)
}

// skipOp takes the operator if it is the next token.
func (p *parser) skipOp(op string) bool {
	ok := p.isOp(op)
	if ok {
		p.at++
	}
	return ok
}

func (p *parser) skipName(name string) bool {
	ok := p.isName(name)
	if ok {
		p.at++
	}
	return ok
}

func (p *parser) wantOp(op string) {
	if !p.skipOp(op) {
		p.unexpected(op)
	}
}

func (p *parser) wantName(name string) {
	if !p.skipName(name) {
		p.unexpected(name)
	}
}

func (p *parser) name() string {
	if p.peek().kind != nameToken {
		p.unexpected("a name")
	}
	return p.next().text
}

func (p *parser) want(k kind, what string) {
	if p.peek().kind != k {
		p.unexpected(what)
	}
	p.at++
}

func (p *parser) unexpected(want string) {
	t := p.peek()
	what := "the end of the template"
	if t.kind != endToken {
		what = `"` + t.text + `"`
	}
	fail(t.line, "%s where %s should stand", what, want)
}

// enter counts a level of nesting; leave ends it.
func (p *parser) enter() {
	if p.depth++; p.depth > nestingMax {
		fail(p.peek().line, "it is nested more than %d levels deep", nestingMax)
	}
}

func (p *parser) leave() { p.depth-- }

// body reads statements up to the end of the template, or to a block tag with one of the
// names, of which it takes {% but not the name.
func (p *parser) body(ends ...string) (body []stmt) {
	p.enter()
	defer p.leave()
	for {
		switch t := p.peek(); t.kind {
		case endToken:
			if ends != nil {
				fail(t.line, "%s is missing", ends[len(ends)-1])
			}
			return body
		case dataToken:
			p.at++
			body = append(body, &data{Plain(t.text)})
		case outputBegin:
			p.at++
			e := p.tuple()
			p.want(outputEnd, "}}")
			body = append(body, &output{t.line, e})
		case blockBegin:
			p.at++
			if p.isName(ends...) {
				return body
			}
			body = append(body, p.block())
		default:
			p.unexpected("text")
		}
	}
}

// block reads a statement after its {%.
func (p *parser) block() stmt {
	t := p.peek()
	name := p.name()
	switch name {
	case "if":
		return p.ifBlock()
	case "for":
		return p.forBlock(t.line)
	case "set":
		return p.setBlock(t.line)
	case "macro":
		return p.macroBlock(t.line)
	case "call":
		return p.callBlock(t.line)
	case "filter":
		return p.filterBlock(t.line)
	case "with":
		return p.withBlock(t.line)
	case "generation":
		p.generation = true
		p.closeTag()
		return &generation{p.macroBody("endgeneration")}
	case "break", "continue":
		if p.loops == 0 {
			fail(t.line, "%s stands outside of a loop", name)
		}
		p.closeTag()
		return jump{map[string]flow{"break": breaking, "continue": continuing}[name]}
	case "include", "import", "from", "extends":
		fail(t.line, "%s is not allowed: a chat template stands alone", name)
	}
	fail(t.line, "there is no statement %s", name)
	return nil
}

func (p *parser) closeTag() { p.want(blockEnd, "%}") }

// blockBody reads the statements up to the end tag, and that too.
func (p *parser) blockBody(end string) []stmt {
	body := p.body(end)
	p.wantName(end)
	p.closeTag()
	return body
}

func (p *parser) ifBlock() stmt {
	node := &ifStmt{}
	for {
		node.conditions = append(node.conditions, p.tuple())
		p.closeTag()
		node.bodies = append(node.bodies, p.body("elif", "else", "endif"))
		if !p.skipName("elif") {
			break
		}
	}
	if p.skipName("else") {
		p.closeTag()
		node.otherwise = p.body("endif")
	}
	p.wantName("endif")
	p.closeTag()
	return node
}

func (p *parser) forBlock(line int) stmt {
	node := &forStmt{line: line, targets: p.targets()}
	p.wantName("in")
	node.items = p.tupleUntil(func() bool { return p.isName("if", "recursive") }, false)
	if p.skipName("if") {
		node.filter = p.expression()
	}
	if p.isName("recursive") {
		fail(line, "recursive loops are not supported: use a macro")
	}
	p.closeTag()
	p.loops++
	node.body = p.body("else", "endfor")
	p.loops--
	if p.skipName("else") {
		p.closeTag()
		node.otherwise = p.body("endfor")
	}
	p.wantName("endfor")
	p.closeTag()
	return node
}

// targets reads the names that a loop or an assignment binds: one, or several that unpack a
// sequence.
func (p *parser) targets() targets {
	paren := p.skipOp("(")
	t := targets{names: []string{p.name()}}
	for p.skipOp(",") {
		t.unpack = true
		if p.peek().kind != nameToken || p.isName("in") {
			break
		}
		t.names = append(t.names, p.name())
	}
	if paren {
		p.wantOp(")")
	}
	return t
}

func (p *parser) setBlock(line int) stmt {
	t := p.targets()
	if p.skipOp(".") {
		if t.unpack {
			fail(line, "an attribute cannot be unpacked to")
		}
		t.attribute = p.name()
	}
	if p.skipOp("=") {
		value := p.tuple()
		p.closeTag()
		return &setStmt{line, t, value}
	}
	if t.unpack {
		p.unexpected("=")
	}
	filters := p.filters(nil)
	p.closeTag()
	return &setCapture{line, t, p.macroBody("endset"), filters}
}

// parameters reads the list of a macro's.
func (p *parser) parameters() (ps []parameter) {
	p.wantOp("(")
	for !p.skipOp(")") {
		if len(ps) > 0 {
			p.wantOp(",")
		}
		q := parameter{name: p.name()}
		if p.skipOp("=") {
			q.standard = p.expression()
		} else if len(ps) > 0 && ps[len(ps)-1].standard != nil {
			fail(p.peek().line, "a parameter without a default follows one with")
		}
		ps = append(ps, q)
	}
	return ps
}

func (p *parser) macroBlock(line int) stmt {
	m := &macroStmt{line: line, name: p.name(), parameters: p.parameters()}
	p.closeTag()
	m.body = p.macroBody("endmacro")
	return m
}

// macroBody is a body whose text is caught: no break leaves the loop that it stands in.
func (p *parser) macroBody(end string) []stmt {
	loops := p.loops
	p.loops = 0
	defer func() { p.loops = loops }()
	return p.blockBody(end)
}

func (p *parser) callBlock(line int) stmt {
	m := &macroStmt{line: line, name: "caller"}
	if p.isOp("(") {
		m.parameters = p.parameters()
	}
	call, ok := p.unary(true).(*call)
	if !ok {
		fail(line, "call needs a macro that is called")
	}
	p.closeTag()
	m.body = p.macroBody("endcall")
	return &callStmt{line, m, call}
}

func (p *parser) filterBlock(line int) stmt {
	chain := p.filters(p.filter(nil))
	p.closeTag()
	return &filterStmt{p.macroBody("endfilter"), chain}
}

func (p *parser) withBlock(line int) stmt {
	node := &withStmt{line: line}
	for p.peek().kind != blockEnd {
		if len(node.targets) > 0 {
			p.wantOp(",")
		}
		node.targets = append(node.targets, p.target())
		p.wantOp("=")
		node.values = append(node.values, p.expression())
	}
	p.closeTag()
	node.body = p.blockBody("endwith")
	return node
}

// target reads one name.
func (p *parser) target() targets { return targets{names: []string{p.name()}} }
