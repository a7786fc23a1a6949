package jinja

import "math"

// binary is + - * / // % **.
type binary struct {
	line        int
	operator    string
	left, right expr
}

func (e *binary) eval(s *state, sc *scope) any {
	a, b := e.left.eval(s, sc), e.right.eval(s, sc)
	s.spend(e.line, 1)
	if t, ok := a.(Text); ok {
		if v, ok := s.textOperation(e.line, e.operator, t, b); ok {
			return v
		}
	}
	if l, ok := a.(*List); ok {
		if v, ok := s.listOperation(e.line, e.operator, l, b); ok {
			return v
		}
	}
	if n, ok := asInt(a); ok {
		switch b.(type) {
		case Text, *List:
			if e.operator == "*" {
				return (&binary{e.line, "*", &constant{b}, &constant{n}}).eval(s, sc)
			}
		}
		if m, ok := asInt(b); ok && e.operator != "/" && (e.operator != "**" || m >= 0) {
			return s.intOperation(e.line, e.operator, n, m)
		}
	}
	x, okX := asFloat(a)
	y, okY := asFloat(b)
	if !okX || !okY {
		fail(e.line, "%s %s %s is not possible", s.named(a), e.operator, s.named(b))
	}
	return floatOperation(e.line, e.operator, x, y)
}

func (s *state) textOperation(line int, op string, t Text, b any) (any, bool) {
	switch op {
	case "+":
		u, ok := b.(Text)
		if !ok {
			return nil, false
		}
		s.spendText(line, t)
		s.spendText(line, u)
		return joined([]Text{t, u}, Text{}), true
	case "*":
		n, ok := asInt(b)
		if !ok {
			return nil, false
		}
		var out builder
		for range max(n, 0) {
			s.spend(line, 1)
			s.spendText(line, t)
			out.add(t)
		}
		return out.text(), true
	case "%":
		values := []any{b}
		if l, ok := b.(*List); ok && l.tuple {
			values = l.Items
		}
		return s.percent(line, t, values), true
	}
	return nil, false
}

func (s *state) listOperation(line int, op string, l *List, b any) (any, bool) {
	switch op {
	case "+":
		m, ok := b.(*List)
		if !ok || l.tuple != m.tuple {
			return nil, false
		}
		s.spend(line, len(l.Items)+len(m.Items))
		return &List{append(append([]any(nil), l.Items...), m.Items...), l.tuple}, true
	case "*":
		n, ok := asInt(b)
		if !ok {
			return nil, false
		}
		out := &List{tuple: l.tuple}
		for range max(n, 0) {
			s.spend(line, 1+len(l.Items))
			out.Items = append(out.Items, l.Items...)
		}
		return out, true
	}
	return nil, false
}

func (s *state) intOperation(line int, op string, a, b int) any {
	f := floatOperation(line, op, float64(a), float64(b))
	if op == "//" || op == "%" {
		if math.MinInt == a && b == -1 {
			fail(line, "the result is too large")
		}
		q, r := a/b, a%b
		if r != 0 && r < 0 != (b < 0) {
			q, r = q-1, r+b
		}
		return map[string]int{"//": q, "%": r}[op]
	}
	if math.Abs(f) >= 1<<62 {
		fail(line, "the result of %d %s %d is too large", a, op, b)
	}
	switch op {
	case "+":
		return a + b
	case "-":
		return a - b
	case "*":
		return a * b
	}
	out := 1
	for range b { // b is small where |a| > 1, because the result is
		s.spend(line, 1)
		out *= a
	}
	return out
}

func floatOperation(line int, op string, a, b float64) float64 {
	switch op {
	case "+":
		return a + b
	case "-":
		return a - b
	case "*":
		return a * b
	case "**":
		return math.Pow(a, b)
	}
	if b == 0 {
		fail(line, "division by zero")
	}
	switch op {
	case "/":
		return a / b
	case "//":
		return math.Floor(a / b)
	}
	r := math.Mod(a, b)
	if r != 0 && r < 0 != (b < 0) {
		r += b
	}
	return r
}
