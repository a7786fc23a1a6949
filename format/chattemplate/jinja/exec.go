package jinja

// state is one rendering.
type state struct {
	left   int // of the budget
	calls  int // macros that have not returned
	blocks int // generation blocks so far
}

// spend takes n from the budget.
func (s *state) spend(line, n int) {
	if s.left -= n; s.left < 0 || n < 0 {
		panic(&Error{Line: line, Spent: true, Msg: "the template does too much work, or makes too much text, for what it is given"})
	}
}

// enter counts what may call itself; leave ends it.
func (s *state) enter(line int) {
	if s.calls++; s.calls > callsMax {
		fail(line, "more than %d macros call each other", callsMax)
	}
}

func (s *state) leave() { s.calls-- }

// bytesPerUnit of text cost one unit.
const bytesPerUnit = 8

// spendText pays for making or reading a text.
func (s *state) spendText(line int, t Text) { s.spend(line, len(t.s)/bytesPerUnit+len(t.runs)) }

// spendKey pays for looking for a key.
func (s *state) spendKey(line int, key any) {
	if t, ok := key.(Text); ok {
		s.spend(line, len(t.s)/bytesPerUnit)
	}
}

// scope holds variables, those of a loop or macro above those of what it stands in.
type scope struct {
	vars map[string]any
	up   *scope
}

func (sc *scope) inner() *scope { return &scope{up: sc} }

func (sc *scope) lookup(name string) (any, bool) {
	for ; sc != nil; sc = sc.up {
		if v, ok := sc.vars[name]; ok {
			return v, true
		}
	}
	return nil, false
}

func (sc *scope) set(name string, v any) {
	if sc.vars == nil {
		sc.vars = map[string]any{}
	}
	sc.vars[name] = v
}

// run runs statements until one of them leaves a loop.
func (s *state) run(body []stmt, sc *scope, out *builder) flow {
	for _, st := range body {
		if f := st.run(s, sc, out); f != onward {
			return f
		}
	}
	return onward
}

// capture runs statements in a scope of their own and returns what they write.
func (s *state) capture(body []stmt, sc *scope) Text {
	var b builder
	s.run(body, sc, &b)
	return b.text()
}

// data is text outside of tags.
type data struct{ text Text }

func (d *data) run(s *state, _ *scope, out *builder) flow {
	s.spend(1, 1)
	s.spendText(1, d.text)
	out.add(d.text)
	return onward
}

// output is {{ value }}.
type output struct {
	line  int
	value expr
}

func (o *output) run(s *state, sc *scope, out *builder) flow {
	s.spend(o.line, 1)
	out.add(s.str(o.line, o.value.eval(s, sc)))
	return onward
}

type ifStmt struct {
	conditions []expr
	bodies     [][]stmt
	otherwise  []stmt
}

func (i *ifStmt) run(s *state, sc *scope, out *builder) flow {
	for n, c := range i.conditions {
		if truth(c.eval(s, sc)) {
			return s.run(i.bodies[n], sc, out)
		}
	}
	return s.run(i.otherwise, sc, out)
}

// jump is break or continue.
type jump struct{ to flow }

func (j jump) run(*state, *scope, *builder) flow { return j.to }

// targets is what a loop or an assignment binds.
type targets struct {
	names     []string
	unpack    bool
	attribute string // of the namespace of the one name; "" for the name itself
}

func (t targets) bind(s *state, line int, sc *scope, v any) {
	s.spend(line, 1)
	switch {
	case t.attribute != "":
		ns, _ := sc.lookup(t.names[0])
		n, ok := ns.(*namespace)
		if !ok {
			fail(line, "%s is no namespace: only those have attributes that can be set", t.names[0])
		}
		n.attributes.Set(t.attribute, v)
	case !t.unpack:
		sc.set(t.names[0], v)
	default:
		items := s.items(line, v)
		if len(items) != len(t.names) {
			fail(line, "%d values for %d names", len(items), len(t.names))
		}
		for i, name := range t.names {
			sc.set(name, items[i])
		}
	}
}

type setStmt struct {
	line    int
	targets targets
	value   expr
}

func (st *setStmt) run(s *state, sc *scope, _ *builder) flow {
	st.targets.bind(s, st.line, sc, st.value.eval(s, sc))
	return onward
}

// setCapture is set with a body: what that writes is the value.
type setCapture struct {
	line    int
	targets targets
	body    []stmt
	filters expr // over nothing, or nil
}

func (st *setCapture) run(s *state, sc *scope, _ *builder) flow {
	var v any = s.capture(st.body, sc.inner())
	if st.filters != nil {
		v = pour(s, sc, st.filters, v)
	}
	st.targets.bind(s, st.line, sc, v)
	return onward
}

// pour evaluates a chain of filters over a value that no expression stands for.
func pour(s *state, sc *scope, chain expr, v any) any {
	f := chain.(*filter)
	if f.of != nil {
		v = pour(s, sc, f.of, v)
	}
	return f.apply(s, sc, v)
}

type filterStmt struct {
	body    []stmt
	filters expr
}

func (st *filterStmt) run(s *state, sc *scope, out *builder) flow {
	out.add(s.str(1, pour(s, sc, st.filters, s.capture(st.body, sc.inner()))))
	return onward
}

type withStmt struct {
	line    int
	targets []targets
	values  []expr
	body    []stmt
}

func (st *withStmt) run(s *state, sc *scope, out *builder) flow {
	in := sc.inner()
	for i, t := range st.targets {
		t.bind(s, st.line, in, st.values[i].eval(s, sc))
	}
	return s.run(st.body, in, out)
}

// generation marks what the assistant says itself.
type generation struct{ body []stmt }

func (g *generation) run(s *state, sc *scope, out *builder) flow {
	s.blocks++
	n := s.blocks
	out.add(s.capture(g.body, sc.inner()).inBlock(n))
	return onward
}

type forStmt struct {
	line      int
	targets   targets
	items     expr
	filter    expr // or nil
	body      []stmt
	otherwise []stmt
}

func (st *forStmt) run(s *state, sc *scope, out *builder) flow {
	items := s.items(st.line, st.items.eval(s, sc))
	if st.filter != nil {
		items = st.filtered(s, sc, items)
	}
	if len(items) == 0 {
		return s.run(st.otherwise, sc.inner(), out)
	}
	l := &loop{items: items}
	for i, item := range items {
		s.spend(st.line, 1)
		l.at = i
		in := sc.inner()
		in.set("loop", l)
		st.targets.bind(s, st.line, in, item)
		if s.run(st.body, in, out) == breaking {
			break
		}
	}
	return onward
}

func (st *forStmt) filtered(s *state, sc *scope, items []any) (kept []any) {
	for _, item := range items {
		in := sc.inner()
		st.targets.bind(s, st.line, in, item)
		if truth(st.filter.eval(s, in)) {
			kept = append(kept, item)
		}
	}
	return kept
}

// loop is the variable of that name in a loop's body.
type loop struct {
	items []any
	at    int
	last  any // that changed was called with
	used  bool
}

// attribute returns an attribute of the loop.
func (l *loop) attribute(name string) (any, bool) {
	n := len(l.items)
	switch name {
	case "index":
		return l.at + 1, true
	case "index0":
		return l.at, true
	case "revindex":
		return n - l.at, true
	case "revindex0":
		return n - l.at - 1, true
	case "first":
		return l.at == 0, true
	case "last":
		return l.at == n-1, true
	case "length":
		return n, true
	case "depth": // of recursion, which loops have not here
		return 1, true
	case "depth0":
		return 0, true
	case "previtem":
		if l.at == 0 {
			return undefined{"there is no previous item"}, true
		}
		return l.items[l.at-1], true
	case "nextitem":
		if l.at == n-1 {
			return undefined{"there is no next item"}, true
		}
		return l.items[l.at+1], true
	case "cycle":
		return &function{name, l.cycle}, true
	case "changed":
		return &function{name, l.changed}, true
	}
	return nil, false
}

func (l *loop) cycle(_ *state, line int, a arguments) any {
	if len(a.list) == 0 {
		fail(line, "cycle needs values")
	}
	return a.list[l.at%len(a.list)]
}

func (l *loop) changed(s *state, line int, a arguments) any {
	v := &List{Items: a.list, tuple: true}
	changed := !l.used || !s.equal(line, l.last, v, 0)
	l.last, l.used = v, true
	return changed
}

// parameter is one of a macro's.
type parameter struct {
	name     string
	standard expr // its default, or nil
}

type macroStmt struct {
	line       int
	name       string
	parameters []parameter
	body       []stmt
}

func (m *macroStmt) run(s *state, sc *scope, _ *builder) flow {
	s.spend(m.line, 1)
	sc.set(m.name, m.function(sc))
	return onward
}

// function returns the macro as a value that remembers the scope it stands in.
func (m *macroStmt) function(sc *scope) *function {
	return &function{m.name, func(s *state, line int, a arguments) any {
		s.enter(line)
		defer s.leave()
		in := sc.inner()
		m.bind(s, line, in, a)
		return s.capture(m.body, in)
	}}
}

// bind gives the parameters their values; what is left over are varargs, kwargs and caller.
func (m *macroStmt) bind(s *state, line int, in *scope, a arguments) {
	for i, p := range m.parameters {
		v, named := a.named[p.name]
		switch {
		case i < len(a.list) && named:
			fail(line, "%s has two values for %s", m.name, p.name)
		case i < len(a.list):
			v = a.list[i]
		case named:
		case p.standard != nil:
			v = p.standard.eval(s, in)
		default:
			v = undefined{"parameter " + p.name + " was not provided"}
		}
		in.set(p.name, v)
	}
	if caller, ok := a.named["caller"]; ok {
		in.set("caller", caller)
	}
	if extra := len(a.list) - len(m.parameters); extra > 0 {
		in.set("varargs", &List{Items: a.list[len(m.parameters):], tuple: true})
	} else {
		in.set("varargs", &List{tuple: true})
	}
}

// callStmt calls a macro that can call its body.
type callStmt struct {
	line   int
	caller *macroStmt
	call   *call
}

func (st *callStmt) run(s *state, sc *scope, out *builder) flow {
	out.add(s.str(st.line, st.call.with(s, sc, st.caller.function(sc))))
	return onward
}
