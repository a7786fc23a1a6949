package jinja

import "strings"

// testFunc is what stands after is.
type testFunc = func(s *state, line int, v any, a arguments) bool

// tests by name. Set by init, because select and reject, among the filters, look into it.
var tests map[string]testFunc

func init() {
	tests = map[string]testFunc{
		"defined":     func(_ *state, _ int, v any, _ arguments) bool { return !isUndefined(v) },
		"undefined":   func(_ *state, _ int, v any, _ arguments) bool { return isUndefined(v) },
		"none":        func(_ *state, _ int, v any, _ arguments) bool { return v == nil },
		"boolean":     isType[bool],
		"integer":     isType[int],
		"float":       isType[float64],
		"string":      isType[Text],
		"mapping":     isType[*Dict],
		"callable":    isType[*function],
		"true":        func(_ *state, _ int, v any, _ arguments) bool { return v == true },
		"false":       func(_ *state, _ int, v any, _ arguments) bool { return v == false },
		"number":      func(_ *state, _ int, v any, _ arguments) bool { _, ok := asFloat(v); return ok },
		"sequence":    isSequence,
		"iterable":    isSequence,
		"odd":         func(s *state, line int, v any, _ arguments) bool { return s.whole(line, v)%2 != 0 },
		"even":        func(s *state, line int, v any, _ arguments) bool { return s.whole(line, v)%2 == 0 },
		"divisibleby": divisible,
		"lower":       func(s *state, line int, v any, _ arguments) bool { return isCase(s, line, v, lower) },
		"upper":       func(s *state, line int, v any, _ arguments) bool { return isCase(s, line, v, upper) },
		"sameas":      func(s *state, line int, v any, a arguments) bool { return sameAs(v, s.only(line, a)) },
		"in":          func(s *state, line int, v any, a arguments) bool { return s.contains(line, s.only(line, a), v) },
		"filter":      func(s *state, line int, v any, _ arguments) bool { t, _ := v.(Text); return filters[t.s] != nil },
		"test":        func(s *state, line int, v any, _ arguments) bool { t, _ := v.(Text); return tests[t.s] != nil },
	}
	for op, names := range map[string]string{
		"==": "eq equalto ==", "!=": "ne !=", "<": "lt lessthan <", "<=": "le <=", ">": "gt greaterthan >", ">=": "ge >=",
	} {
		for name := range strings.FieldsSeq(names) {
			tests[name] = func(s *state, line int, v any, a arguments) bool { return s.holds(line, op, v, s.only(line, a)) }
		}
	}
}

func isUndefined(v any) bool { _, ok := v.(undefined); return ok }

func isType[T any](_ *state, _ int, v any, _ arguments) bool { _, ok := v.(T); return ok }

func isSequence(_ *state, _ int, v any, _ arguments) bool {
	switch v.(type) {
	case Text, *List, *Dict, undefined:
		return true
	}
	return false
}

// only returns the one argument of a test.
func (s *state) only(line int, a arguments) any {
	if len(a.list) != 1 {
		fail(line, "the test needs one argument")
	}
	return a.list[0]
}

// whole returns a whole number.
func (s *state) whole(line int, v any) int {
	n, ok := asInt(v)
	if !ok {
		fail(line, "a whole number is needed, not a %s", s.named(v))
	}
	return n
}

func divisible(s *state, line int, v any, a arguments) bool {
	by := s.whole(line, s.only(line, a))
	if by == 0 {
		fail(line, "division by zero")
	}
	return s.whole(line, v)%by == 0
}

func isCase(s *state, line int, v any, to func(Text) Text) bool {
	t, ok := v.(Text)
	for range 3 { // for it is written three times
		s.spendText(line, t)
	}
	return ok && to(t).s == t.s && (lower(t).s != t.s || upper(t).s != t.s)
}

// sameAs is Python's is, of values of which there is only one.
func sameAs(a, b any) bool {
	if _, ok := a.(Text); ok {
		return false
	}
	if _, ok := b.(Text); ok {
		return false
	}
	return a == b
}
