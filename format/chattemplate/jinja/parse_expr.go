package jinja

import (
	"strconv"
	"strings"
)

// expr is a part of a template that has a value.
type expr interface {
	eval(s *state, sc *scope) any
}

// expression reads a conditional expression, what binds most weakly but for the comma.
func (p *parser) expression() expr {
	p.enter()
	defer p.leave()
	value := p.or()
	for p.skipName("if") {
		e := &conditional{value: value, condition: p.or()}
		if p.skipName("else") {
			e.otherwise = p.expression()
		}
		value = e
	}
	return value
}

// tuple reads expressions with commas between them: one stands for itself.
func (p *parser) tuple() expr { return p.tupleUntil(func() bool { return false }, true) }

// tupleUntil is tuple that ends where stop holds too; the items are conditional expressions
// only if conditional.
func (p *parser) tupleUntil(stop func() bool, conditional bool) expr {
	var items []expr
	comma := false
	for {
		if t := p.peek(); len(items) > 0 && (t.kind == outputEnd || t.kind == blockEnd || p.isOp(")") || stop()) {
			break
		}
		if conditional {
			items = append(items, p.expression())
		} else {
			items = append(items, p.or())
		}
		if !p.skipOp(",") {
			break
		}
		comma = true
	}
	if len(items) == 1 && !comma {
		return items[0]
	}
	return &list{items, true}
}

func (p *parser) or() expr {
	left := p.and()
	for p.skipName("or") {
		left = &logic{left, p.and(), true}
	}
	return left
}

func (p *parser) and() expr {
	left := p.not()
	for p.skipName("and") {
		left = &logic{left, p.not(), false}
	}
	return left
}

func (p *parser) not() expr {
	t := p.peek()
	if !p.skipName("not") {
		return p.compare()
	}
	p.enter()
	defer p.leave()
	return &unary{t.line, "not", p.not()}
}

func (p *parser) compare() expr {
	line := p.peek().line
	first := p.math1()
	var e *comparison
	add := func(op string, right expr) {
		if e == nil {
			e = &comparison{line: line, first: first}
		}
		e.operators, e.rest = append(e.operators, op), append(e.rest, right)
	}
	for {
		switch {
		case p.isOp("==", "!=", "<", "<=", ">", ">="):
			add(p.next().text, p.math1())
		case p.skipName("in"):
			add("in", p.math1())
		case p.isName("not") && p.tokens[p.at+1].kind == nameToken && p.tokens[p.at+1].text == "in":
			p.at += 2
			add("not in", p.math1())
		case e == nil:
			return first
		default:
			return e
		}
	}
}

func (p *parser) math1() expr {
	left := p.concat()
	for p.isOp("+", "-") {
		t := p.next()
		left = &binary{t.line, t.text, left, p.concat()}
	}
	return left
}

func (p *parser) concat() expr {
	first := p.math2()
	if !p.isOp("~") {
		return first
	}
	e := &concatenation{items: []expr{first}}
	for p.skipOp("~") {
		e.items = append(e.items, p.math2())
	}
	return e
}

func (p *parser) math2() expr {
	left := p.power()
	for p.isOp("*", "/", "//", "%") {
		t := p.next()
		left = &binary{t.line, t.text, left, p.power()}
	}
	return left
}

func (p *parser) power() expr {
	left := p.unary(true)
	for p.isOp("**") {
		t := p.next()
		left = &binary{t.line, t.text, left, p.unary(true)}
	}
	return left
}

func (p *parser) unary(filters bool) expr {
	var e expr
	if p.isOp("-", "+") {
		p.enter()
		t := p.next()
		e = &unary{t.line, t.text, p.unary(false)}
		p.leave()
	} else {
		e = p.primary()
	}
	e = p.postfix(e)
	if filters {
		e = p.filters(e)
	}
	return e
}

func (p *parser) primary() expr {
	t := p.peek()
	switch t.kind {
	case nameToken:
		p.at++
		switch t.text {
		case "true", "True":
			return &constant{true}
		case "false", "False":
			return &constant{false}
		case "none", "None":
			return &constant{nil}
		}
		return &variable{t.line, t.text}
	case textToken:
		var b strings.Builder
		for p.peek().kind == textToken {
			b.WriteString(p.next().text)
		}
		return &constant{Plain(b.String())}
	case intToken, floatToken:
		p.at++
		return number(t)
	}
	switch {
	case p.skipOp("("):
		return p.parenthesis()
	case p.skipOp("["):
		return p.list()
	case p.skipOp("{"):
		return p.dict()
	}
	p.unexpected("a value")
	return nil
}

func number(t token) expr {
	if t.kind == intToken {
		n, err := strconv.ParseInt(t.text, 0, 64)
		if strings.Trim(t.text, "0_") == "" {
			n, err = 0, nil
		}
		if err != nil {
			fail(t.line, "the number %s is too large", t.text)
		}
		return &constant{int(n)}
	}
	f, err := strconv.ParseFloat(t.text, 64)
	if err != nil {
		fail(t.line, "the number %s is too large", t.text)
	}
	return &constant{f}
}

func (p *parser) parenthesis() expr {
	if p.skipOp(")") {
		return &list{nil, true}
	}
	e := p.tuple()
	p.wantOp(")")
	return e
}

func (p *parser) list() expr {
	e := &list{}
	for !p.skipOp("]") {
		if len(e.items) > 0 {
			if p.wantOp(","); p.skipOp("]") {
				break
			}
		}
		e.items = append(e.items, p.expression())
	}
	return e
}

func (p *parser) dict() expr {
	e := &dict{line: p.peek().line}
	for !p.skipOp("}") {
		if len(e.keys) > 0 {
			if p.wantOp(","); p.skipOp("}") {
				break
			}
		}
		e.keys = append(e.keys, p.expression())
		p.wantOp(":")
		e.values = append(e.values, p.expression())
	}
	return e
}

// postfix reads what follows a value: attributes, indices, calls.
func (p *parser) postfix(e expr) expr {
	for {
		t := p.peek()
		switch {
		case p.skipOp("."):
			if u := p.peek(); u.kind == intToken {
				e = &index{t.line, e, number(p.next())}
			} else {
				e = &attribute{t.line, e, p.name()}
			}
		case p.skipOp("["):
			e = p.subscript(t.line, e)
		case p.isOp("("):
			e = &call{t.line, e, p.arguments()}
		default:
			return e
		}
	}
}

func (p *parser) subscript(line int, of expr) expr {
	var parts [3]expr
	n := 0
	for !p.isOp("]") {
		if p.skipOp(":") {
			if n++; n > 2 {
				p.unexpected("]")
			}
			continue
		}
		parts[n] = p.expression()
		if !p.isOp(":", "]") {
			p.unexpected("]")
		}
	}
	p.at++
	if n > 0 {
		return &slice{line, of, parts}
	}
	if parts[0] == nil {
		fail(line, "the index is missing")
	}
	return &index{line, of, parts[0]}
}

// arguments reads the list of a call's.
func (p *parser) arguments() (a argumentList) {
	p.wantOp("(")
	for first := true; !p.skipOp(")"); first = false {
		if !first {
			if p.wantOp(","); p.skipOp(")") {
				break
			}
		}
		switch named := p.tokens[p.at+1]; {
		case p.isOp("*", "**"):
			fail(p.peek().line, "arguments with * are not supported")
		case p.peek().kind == nameToken && named.kind == operator && named.text == "=":
			name := p.next().text
			p.at++
			a.names, a.named = append(a.names, name), append(a.named, p.expression())
		case a.names != nil:
			fail(p.peek().line, "an argument without a name follows one with")
		default:
			a.list = append(a.list, p.expression())
		}
	}
	return a
}

// filters reads | filters and is tests after a value, which is nil for a set block's.
func (p *parser) filters(e expr) expr {
	for {
		switch {
		case p.isOp("|"):
			p.at++
			e = p.filter(e)
		case e != nil && p.isName("is"):
			e = p.test(e)
		case e != nil && p.isOp("("):
			e = &call{p.peek().line, e, p.arguments()}
		default:
			return e
		}
	}
}

func (p *parser) filter(of expr) expr {
	t := p.peek()
	name := p.dotted()
	f, ok := filters[name]
	if !ok {
		fail(t.line, "there is no filter %s", name)
	}
	e := &filter{line: t.line, name: name, f: f, of: of}
	if p.isOp("(") {
		e.arguments = p.arguments()
	}
	return e
}

func (p *parser) dotted() string {
	name := p.name()
	for p.skipOp(".") {
		name += "." + p.name()
	}
	return name
}

func (p *parser) test(of expr) expr {
	p.at++ // is
	negated := p.skipName("not")
	t := p.peek()
	if t.kind == operator {
		p.unexpected("the name of a test")
	}
	name := p.dotted()
	f, ok := tests[name]
	if !ok {
		fail(t.line, "there is no test %s", name)
	}
	e := &test{line: t.line, f: f, of: of, negated: negated}
	switch u := p.peek(); {
	case p.isOp("("):
		e.arguments = p.arguments()
	case p.isName("is"):
		fail(u.line, "tests cannot be chained")
	case u.kind == nameToken && !p.isName("else", "or", "and"), u.kind == textToken, u.kind == intToken, u.kind == floatToken, p.isOp("[", "{"):
		e.arguments.list = []expr{p.postfix(p.primary())}
	}
	return e
}
