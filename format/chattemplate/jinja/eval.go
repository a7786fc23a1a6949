package jinja

import (
	"strings"
	"unicode/utf8"
)

type constant struct{ value any }

func (c *constant) eval(s *state, _ *scope) any { return c.value }

type variable struct {
	line int
	name string
}

func (v *variable) eval(s *state, sc *scope) any {
	s.spend(v.line, 1)
	if value, ok := sc.lookup(v.name); ok {
		return value
	}
	return undefined{v.name + " is undefined"}
}

// list is [a, b], or the tuple (a, b).
type list struct {
	items []expr
	tuple bool
}

func (l *list) eval(s *state, sc *scope) any {
	out := &List{Items: make([]any, len(l.items)), tuple: l.tuple}
	for i, e := range l.items {
		out.Items[i] = e.eval(s, sc)
	}
	s.spend(1, len(l.items))
	return out
}

type dict struct {
	line         int
	keys, values []expr
}

func (d *dict) eval(s *state, sc *scope) any {
	out := NewDict()
	for i := range d.keys {
		s.spend(d.line, 1)
		key := d.keys[i].eval(s, sc)
		out.put(s.hash(d.line, key), key, d.values[i].eval(s, sc))
	}
	return out
}

// hash is hashable, or the end.
func (s *state) hash(line int, key any) any {
	s.spendKey(line, key)
	hash, ok := hashable(key)
	if !ok {
		fail(line, "a %s cannot be a key", typeName(key))
	}
	return hash
}

// conditional is value if condition else otherwise.
type conditional struct{ value, condition, otherwise expr }

func (c *conditional) eval(s *state, sc *scope) any {
	if truth(c.condition.eval(s, sc)) {
		return c.value.eval(s, sc)
	}
	if c.otherwise == nil {
		return undefined{"the inline if has no else"}
	}
	return c.otherwise.eval(s, sc)
}

// logic is and, or.
type logic struct {
	left, right expr
	or          bool
}

func (l *logic) eval(s *state, sc *scope) any {
	left := l.left.eval(s, sc)
	if truth(left) == l.or {
		return left
	}
	return l.right.eval(s, sc)
}

type unary struct {
	line     int
	operator string
	value    expr
}

func (u *unary) eval(s *state, sc *scope) any {
	v := u.value.eval(s, sc)
	s.spend(u.line, 1)
	if u.operator == "not" {
		return !truth(v)
	}
	sign := 1
	if u.operator == "-" {
		sign = -1
	}
	if n, ok := asInt(v); ok {
		return sign * n
	}
	if f, ok := asFloat(v); ok {
		return float64(sign) * f
	}
	fail(u.line, "%s of a %s", u.operator, s.named(v))
	return nil
}

// named is what an error calls a value.
func (s *state) named(v any) string {
	if u, ok := v.(undefined); ok {
		return "value that does not exist: " + u.what
	}
	return typeName(v)
}

type comparison struct {
	line      int
	first     expr
	operators []string
	rest      []expr
}

func (c *comparison) eval(s *state, sc *scope) any {
	left := c.first.eval(s, sc)
	for i, op := range c.operators {
		right := c.rest[i].eval(s, sc)
		if !s.holds(c.line, op, left, right) {
			return false
		}
		left = right
	}
	return true
}

func (s *state) holds(line int, op string, a, b any) bool {
	switch op {
	case "==":
		return s.equal(line, a, b, 0)
	case "!=":
		return !s.equal(line, a, b, 0)
	case "in":
		return s.contains(line, b, a)
	case "not in":
		return !s.contains(line, b, a)
	case "<":
		return s.compare(line, a, b, 0) < 0
	case "<=":
		return s.compare(line, a, b, 0) <= 0
	case ">":
		return s.compare(line, a, b, 0) > 0
	}
	return s.compare(line, a, b, 0) >= 0
}

// contains is item in container.
func (s *state) contains(line int, container, item any) bool {
	switch c := container.(type) {
	case Text:
		t, ok := item.(Text)
		if !ok {
			fail(line, "a %s cannot be in a text", s.named(item))
		}
		s.spendText(line, c)
		return strings.Contains(c.s, t.s)
	case *Dict:
		_, ok := c.get(s.hash(line, item))
		return ok
	case *List:
		for _, x := range c.Items {
			if s.equal(line, x, item, 0) {
				return true
			}
		}
		return false
	case undefined:
		return false
	}
	fail(line, "a %s contains nothing", typeName(container))
	return false
}

type concatenation struct{ items []expr }

func (c *concatenation) eval(s *state, sc *scope) any {
	var b builder
	for _, e := range c.items {
		b.add(s.str(1, e.eval(s, sc)))
	}
	return b.text()
}

// attribute is value.name: a method first, then a key, as Jinja looks for them.
type attribute struct {
	line  int
	value expr
	name  string
}

func (a *attribute) eval(s *state, sc *scope) any {
	return s.attribute(a.line, a.value.eval(s, sc), a.name)
}

func (s *state) attribute(line int, v any, name string) any {
	s.spend(line, 1+len(name)/bytesPerUnit)
	switch v := v.(type) {
	case undefined:
		fail(line, "%s, so it has no %s", v.what, name)
	case *loop:
		if x, ok := v.attribute(name); ok {
			return x
		}
	case *namespace:
		if x, ok := v.attributes.get(name); ok {
			return x
		}
	}
	if m := method(v, name); m != nil {
		return m
	}
	if d, ok := v.(*Dict); ok {
		if x, ok := d.get(name); ok {
			return x
		}
	}
	return undefined{"a " + typeName(v) + " has no attribute " + name}
}

// index is value[key]: a key or position first, then an attribute.
type index struct {
	line       int
	value, key expr
}

func (i *index) eval(s *state, sc *scope) any {
	v, key := i.value.eval(s, sc), i.key.eval(s, sc)
	s.spend(i.line, 1)
	return s.item(i.line, v, key)
}

func (s *state) item(line int, v, key any) any {
	switch v := v.(type) {
	case undefined:
		fail(line, "%s, so nothing is in it", v.what)
	case *Dict:
		s.spendKey(line, key)
		if hash, ok := hashable(key); ok {
			if x, ok := v.get(hash); ok {
				return x
			}
		}
	case *List:
		if n, ok := asInt(key); ok {
			if n < 0 {
				n += len(v.Items)
			}
			if n >= 0 && n < len(v.Items) {
				return v.Items[n]
			}
		}
	case Text:
		if n, ok := asInt(key); ok {
			s.spendText(line, v)
			count := v.length()
			if n < 0 {
				n += count
			}
			if n >= 0 && n < count {
				at := v.offset(n)
				_, size := utf8.DecodeRuneInString(v.s[at:])
				return v.slice(at, at+size)
			}
		}
	}
	if name, ok := key.(Text); ok {
		if x := s.attribute(line, v, name.s); x != nil {
			return x
		}
	}
	return undefined{"a " + typeName(v) + " has no such item"}
}

// slice is value[from:to:step].
type slice struct {
	line  int
	value expr
	parts [3]expr
}

func (e *slice) eval(s *state, sc *scope) any {
	v := e.value.eval(s, sc)
	var bounds [3]*int
	for i, part := range e.parts {
		if part == nil {
			continue
		}
		switch n := part.eval(s, sc).(type) {
		case nil:
		case int:
			bounds[i] = &n
		default:
			fail(e.line, "a slice needs whole numbers, not a %s", s.named(n))
		}
	}
	switch v := v.(type) {
	case Text:
		s.spendText(e.line, v)
		return s.sliceText(e.line, v, bounds)
	case *List:
		out := &List{tuple: v.tuple}
		for _, i := range positions(e.line, len(v.Items), bounds) {
			out.Items = append(out.Items, v.Items[i])
		}
		s.spend(e.line, len(out.Items))
		return out
	case undefined:
		return s.item(e.line, v, nil)
	}
	fail(e.line, "a %s has no slices", typeName(v))
	return nil
}

func (s *state) sliceText(line int, t Text, bounds [3]*int) Text {
	at := positions(line, t.length(), bounds)
	if len(at) == 0 {
		return Text{}
	}
	if bounds[2] == nil || *bounds[2] == 1 {
		from := t.offset(at[0])
		rest := t.slice(from, len(t.s))
		return rest.slice(0, rest.offset(len(at)))
	}
	starts := make([]int, 0, len(t.s)+1)
	for i := range t.s {
		s.spend(line, 1+len(t.runs))
		starts = append(starts, i)
	}
	starts = append(starts, len(t.s))
	var b builder
	for _, i := range at {
		b.add(t.slice(starts[i], starts[i+1]))
	}
	return b.text()
}

// positions returns the indices that a Python slice of n items takes.
func positions(line, n int, bounds [3]*int) (at []int) {
	step := 1
	if bounds[2] != nil {
		step = *bounds[2]
	}
	if step == 0 {
		fail(line, "the step of a slice is 0")
	}
	lowest, highest := 0, n
	from, to := 0, n
	if step < 0 {
		lowest, highest = -1, n-1
		from, to = n-1, -1
	}
	clamp := func(p *int, standard int) int {
		if p == nil {
			return standard
		}
		i := *p
		if i < 0 {
			i = max(i, -n-1) + n
		}
		return min(max(i, lowest), highest)
	}
	from, to = clamp(bounds[0], from), clamp(bounds[1], to)
	step = min(max(step, -n-1), n+1) // farther than any end, and no overflow
	for i := from; step > 0 && i < to || step < 0 && i > to; i += step {
		at = append(at, i)
	}
	return at
}

// argumentList is what stands in a call's parentheses.
type argumentList struct {
	list  []expr
	names []string
	named []expr
}

// arguments are the values of an argumentList.
type arguments struct {
	list  []any
	named map[string]any
	names []string // of named, in order
}

func (l argumentList) eval(s *state, sc *scope) (a arguments) {
	for _, e := range l.list {
		a.list = append(a.list, e.eval(s, sc))
	}
	if l.names != nil {
		a.named, a.names = make(map[string]any, len(l.names)), l.names
	}
	for i, name := range l.names {
		a.named[name] = l.named[i].eval(s, sc)
	}
	return a
}

// get returns the argument at a position or with a name; ok is false if there is none.
func (a arguments) get(i int, name string) (v any, ok bool) {
	if i < len(a.list) {
		return a.list[i], true
	}
	v, ok = a.named[name]
	return v, ok
}

// text returns an argument that is a text, or the standard.
func (a arguments) text(line, i int, name string, standard Text) Text {
	v, ok := a.get(i, name)
	if !ok {
		return standard
	}
	t, ok := v.(Text)
	if !ok {
		fail(line, "the argument %s must be a text, not a %s", name, typeName(v))
	}
	return t
}

// number returns an argument that is a whole number, or the standard.
func (a arguments) number(line, i int, name string, standard int) int {
	v, ok := a.get(i, name)
	if !ok || v == nil {
		return standard
	}
	n, ok := asInt(v)
	if !ok {
		fail(line, "the argument %s must be a whole number, not a %s", name, typeName(v))
	}
	return n
}

func (a arguments) boolean(i int, name string, standard bool) bool {
	if v, ok := a.get(i, name); ok {
		return truth(v)
	}
	return standard
}

type call struct {
	line      int
	function  expr
	arguments argumentList
}

func (c *call) eval(s *state, sc *scope) any { return c.with(s, sc, nil) }

// with calls with a caller, if that is not nil.
func (c *call) with(s *state, sc *scope, caller *function) any {
	v := c.function.eval(s, sc)
	f, ok := v.(*function)
	if !ok {
		fail(c.line, "a %s cannot be called", s.named(v))
	}
	a := c.arguments.eval(s, sc)
	if caller != nil {
		if a.named == nil {
			a.named = map[string]any{}
		}
		a.named["caller"] = caller
	}
	s.spend(c.line, 1)
	return f.call(s, c.line, a)
}

type filter struct {
	line      int
	name      string
	f         filterFunc
	of        expr
	arguments argumentList
}

func (f *filter) eval(s *state, sc *scope) any { return f.apply(s, sc, f.of.eval(s, sc)) }

func (f *filter) apply(s *state, sc *scope, v any) any {
	s.spend(f.line, 1)
	return f.f(s, f.line, v, f.arguments.eval(s, sc))
}

type test struct {
	line      int
	f         testFunc
	of        expr
	arguments argumentList
	negated   bool
}

func (t *test) eval(s *state, sc *scope) any {
	s.spend(t.line, 1)
	v := t.of.eval(s, sc)
	return t.f(s, t.line, v, t.arguments.eval(s, sc)) != t.negated
}
