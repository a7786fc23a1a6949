package jinja

import (
	"cmp"
	"math"
	"strconv"
	"strings"
)

// List is a sequence of values.
type List struct {
	Items []any
	tuple bool // which is written with parentheses
}

// NewList returns a list of the items, which it keeps.
func NewList(items ...any) *List { return &List{Items: items} }

// Dict is a mapping that keeps the order of its keys.
type Dict struct {
	keys   []any
	values []any
	at     map[any]int // by hashable
}

// NewDict returns an empty mapping.
func NewDict() *Dict { return &Dict{at: map[any]int{}} }

// Set gives a text key a value.
func (d *Dict) Set(key string, value any) *Dict {
	d.put(key, Plain(key), value)
	return d
}

func (d *Dict) put(hash, key, value any) {
	if i, ok := d.at[hash]; ok {
		d.values[i] = value
		return
	}
	d.at[hash] = len(d.keys)
	d.keys, d.values = append(d.keys, key), append(d.values, value)
}

func (d *Dict) get(hash any) (any, bool) {
	i, ok := d.at[hash]
	if !ok {
		return nil, false
	}
	return d.values[i], true
}

// namespace is the one kind of value that a template can change.
type namespace struct{ attributes *Dict }

// undefined is what a name or key that does not exist stands for.
type undefined struct{ what string }

// function is something that can be called.
type function struct {
	name string
	call func(s *state, line int, a arguments) any
}

// hashable returns what a value is found by in a Dict: equal values have equal ones. ok is
// false for those that Python cannot hash.
func hashable(v any) (key any, ok bool) {
	switch v := v.(type) {
	case Text:
		return v.s, true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int(v), true
		}
		return v, true
	case nil, int:
		return v, true
	}
	return nil, false
}

// truth is Python's bool(v).
func truth(v any) bool {
	switch v := v.(type) {
	case nil, undefined:
		return false
	case bool:
		return v
	case int:
		return v != 0
	case float64:
		return v != 0
	case Text:
		return v.s != ""
	case *List:
		return len(v.Items) > 0
	case *Dict:
		return len(v.keys) > 0
	}
	return true
}

// typeName is what Python calls the type of v.
func typeName(v any) string {
	switch v := v.(type) {
	case nil:
		return "NoneType"
	case undefined:
		return "Undefined"
	case bool:
		return "bool"
	case int:
		return "int"
	case float64:
		return "float"
	case Text:
		return "str"
	case *List:
		if v.tuple {
			return "tuple"
		}
		return "list"
	case *Dict:
		return "dict"
	case *namespace:
		return "Namespace"
	case *loop:
		return "LoopContext"
	}
	return "function"
}

// asFloat returns v as a number; bool counts as one in Python.
func asFloat(v any) (f float64, ok bool) {
	if n, ok := asInt(v); ok {
		return float64(n), true
	}
	f, ok = v.(float64)
	return f, ok
}

// asInt returns an int or bool as a number.
func asInt(v any) (n int, ok bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case int:
		return v, true
	}
	return 0, false
}

// equal is Python's ==.
func (s *state) equal(line int, a, b any, depth int) bool {
	s.spend(line, 1)
	if depth > valueDepthMax {
		fail(line, "a value is nested more than %d levels deep", valueDepthMax)
	}
	if x, ok := asInt(a); ok {
		if y, ok := asInt(b); ok {
			return x == y
		}
	}
	if x, ok := asFloat(a); ok {
		y, ok := asFloat(b)
		return ok && x == y
	}
	switch a := a.(type) {
	case nil:
		return b == nil
	case undefined:
		_, ok := b.(undefined)
		return ok
	case Text:
		b, ok := b.(Text)
		s.spendText(line, a)
		return ok && a.s == b.s
	case *List:
		b, ok := b.(*List)
		if !ok || len(a.Items) != len(b.Items) || a.tuple != b.tuple {
			return false
		}
		for i := range a.Items {
			if !s.equal(line, a.Items[i], b.Items[i], depth+1) {
				return false
			}
		}
		return true
	case *Dict:
		b, ok := b.(*Dict)
		if !ok || len(a.keys) != len(b.keys) {
			return false
		}
		for i, key := range a.keys {
			hash, _ := hashable(key)
			other, ok := b.get(hash)
			if !ok || !s.equal(line, a.values[i], other, depth+1) {
				return false
			}
		}
		return true
	}
	return a == b // the same loop, namespace or function
}

// compare is Python's <, which numbers and texts among themselves have, and lists of them.
func (s *state) compare(line int, a, b any, depth int) int {
	s.spend(line, 1)
	if depth > valueDepthMax {
		fail(line, "a value is nested more than %d levels deep", valueDepthMax)
	}
	if x, ok := asInt(a); ok {
		if y, ok := asInt(b); ok {
			return cmp.Compare(x, y)
		}
	}
	if x, ok := asFloat(a); ok {
		if y, ok := asFloat(b); ok {
			return cmp.Compare(x, y)
		}
	}
	switch a := a.(type) {
	case Text:
		if b, ok := b.(Text); ok {
			s.spendText(line, a)
			return cmp.Compare(a.s, b.s)
		}
	case *List:
		if b, ok := b.(*List); ok && a.tuple == b.tuple {
			for i := range min(len(a.Items), len(b.Items)) {
				if !s.equal(line, a.Items[i], b.Items[i], depth+1) {
					return s.compare(line, a.Items[i], b.Items[i], depth+1)
				}
			}
			return cmp.Compare(len(a.Items), len(b.Items))
		}
	}
	fail(line, "%s and %s cannot be compared", typeName(a), typeName(b))
	return 0
}

// str is Python's str(v), which is what {{ v }} writes.
func (s *state) str(line int, v any) Text {
	switch v := v.(type) {
	case Text:
		s.spendText(line, v)
		return v
	case undefined:
		return Text{}
	}
	var b builder
	s.repr(line, v, &b, 0)
	return b.text()
}

// repr writes Python's repr(v).
func (s *state) repr(line int, v any, b *builder, depth int) {
	s.spend(line, 1)
	if depth > valueDepthMax {
		fail(line, "a value is nested more than %d levels deep", valueDepthMax)
	}
	switch v := v.(type) {
	case nil:
		b.add(Plain("None"))
	case bool:
		b.add(Plain(map[bool]string{true: "True", false: "False"}[v]))
	case int:
		b.add(Plain(strconv.Itoa(v)))
	case float64:
		b.add(Plain(formatFloat(v)))
	case Text:
		s.spendText(line, v)
		b.add(quoted(v))
	case undefined:
		b.add(Plain("Undefined"))
	case *List:
		s.reprList(line, v, b, depth)
	case *Dict:
		b.add(Plain("{"))
		for i := range v.keys {
			if i > 0 {
				b.add(Plain(", "))
			}
			s.repr(line, v.keys[i], b, depth+1)
			b.add(Plain(": "))
			s.repr(line, v.values[i], b, depth+1)
		}
		b.add(Plain("}"))
	case *namespace:
		b.add(Plain("<Namespace "))
		s.repr(line, v.attributes, b, depth+1)
		b.add(Plain(">"))
	default:
		fail(line, "a %s cannot be written", typeName(v))
	}
}

func (s *state) reprList(line int, v *List, b *builder, depth int) {
	open, end := "[", "]"
	if v.tuple {
		if open, end = "(", ")"; len(v.Items) == 1 {
			end = ",)"
		}
	}
	b.add(Plain(open))
	for i, item := range v.Items {
		if i > 0 {
			b.add(Plain(", "))
		}
		s.repr(line, item, b, depth+1)
	}
	b.add(Plain(end))
}

// formatFloat is Python's repr of a float: the shortest digits that read back as f.
func formatFloat(f float64) string {
	switch {
	case math.IsInf(f, -1):
		return "-inf"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsNaN(f):
		return "nan"
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	out := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(out, ".") {
		out += ".0"
	}
	return out
}

// quoted is Python's repr of a text.
func quoted(t Text) Text {
	quote := "'"
	if strings.Contains(t.s, "'") && !strings.Contains(t.s, `"`) {
		quote = `"`
	}
	body := t.mapped(func(r rune) string {
		switch {
		case string(r) == quote || r == '\\':
			return `\` + string(r)
		case r == '\n':
			return `\n`
		case r == '\r':
			return `\r`
		case r == '\t':
			return `\t`
		case r < ' ' || r == 0x7f:
			return `\x` + strconv.FormatInt(int64(r)|0x100, 16)[1:]
		}
		return string(r)
	})
	return joined([]Text{Plain(quote), body, Plain(quote)}, Text{})
}
