package jinja

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// filterFunc is what stands after |.
type filterFunc = func(s *state, line int, v any, a arguments) any

// filters by name. Set by init, because map looks into it.
var filters map[string]filterFunc

func init() {
	filters = map[string]filterFunc{
		"trim":       textFilter(func(s *state, line int, t Text, a arguments) any { return strip(s, line, t, a, true, true) }),
		"upper":      textFilter(func(_ *state, _ int, t Text, _ arguments) any { return upper(t) }),
		"lower":      textFilter(func(_ *state, _ int, t Text, _ arguments) any { return lower(t) }),
		"capitalize": textFilter(func(_ *state, _ int, t Text, _ arguments) any { return capitalized(t) }),
		"title": textFilter(func(_ *state, _ int, t Text, _ arguments) any {
			return titled(t, func(r rune) bool { return !isSpace(r) && !strings.ContainsRune("-({[<", r) })
		}),
		"replace":   textFilter(replaceMethod),
		"indent":    textFilter(indent),
		"string":    textFilter(func(_ *state, _ int, t Text, _ arguments) any { return t }),
		"safe":      textFilter(func(_ *state, _ int, t Text, _ arguments) any { return t }),
		"escape":    textFilter(escape),
		"e":         textFilter(escape),
		"wordcount": textFilter(func(_ *state, _ int, t Text, _ arguments) any { return len(strings.Fields(t.s)) }),
		"format":    textFilter(func(s *state, line int, t Text, a arguments) any { return s.percent(line, t, a.list) }),
		"length":    length,
		"count":     length,
		"default":   standard,
		"d":         standard,
		"tojson":    toJSON,
		"join":      joinFilter,
		"int":       toInt,
		"float":     toFloat,
		"abs":       absolute,
		"round":     round,
		"first":     first,
		"last":      last,
		"list":      func(s *state, line int, v any, _ arguments) any { return NewList(s.items(line, v)...) },
		"items":     itemsFilter,
		"reverse":   reverse,
		"sort":      sorted,
		"dictsort":  dictSort,
		"unique":    unique,
		"min":       func(s *state, line int, v any, a arguments) any { return extreme(s, line, v, a, -1) },
		"max":       func(s *state, line int, v any, a arguments) any { return extreme(s, line, v, a, 1) },
		"sum":       sum,
		"map":       mapFilter,
		"attr": func(s *state, line int, v any, a arguments) any {
			return s.attribute(line, v, a.text(line, 0, "name", Text{}).s)
		},
		"select":     func(s *state, line int, v any, a arguments) any { return choose(s, line, v, a, false, true) },
		"reject":     func(s *state, line int, v any, a arguments) any { return choose(s, line, v, a, false, false) },
		"selectattr": func(s *state, line int, v any, a arguments) any { return choose(s, line, v, a, true, true) },
		"rejectattr": func(s *state, line int, v any, a arguments) any { return choose(s, line, v, a, true, false) },
	}
}

// textFilter makes a filter of what works on the text of any value.
func textFilter(f textMethod) filterFunc {
	return func(s *state, line int, v any, a arguments) any { return f(s, line, s.str(line, v), a) }
}

// items returns what a loop over v runs through.
func (s *state) items(line int, v any) []any {
	switch v := v.(type) {
	case *List:
		s.spend(line, len(v.Items))
		return v.Items
	case *Dict:
		s.spend(line, len(v.keys))
		return v.keys
	case Text:
		out := make([]any, 0, v.length())
		for i, r := range v.s {
			s.spend(line, 1+len(v.runs))
			out = append(out, v.slice(i, i+utf8.RuneLen(r)))
		}
		return out
	case undefined:
		return nil
	}
	fail(line, "a %s has no items to run through", s.named(v))
	return nil
}

func length(s *state, line int, v any, _ arguments) any {
	switch v := v.(type) {
	case Text:
		s.spendText(line, v)
		return v.length()
	case *List:
		return len(v.Items)
	case *Dict:
		return len(v.keys)
	case undefined:
		return 0
	}
	fail(line, "a %s has no length", typeName(v))
	return nil
}

// standard is default: the argument instead of what is undefined, or with true also instead
// of what is false.
func standard(_ *state, _ int, v any, a arguments) any {
	if isUndefined(v) || a.boolean(1, "boolean", false) && !truth(v) {
		if with, ok := a.get(0, "default_value"); ok {
			return with
		}
		return Text{}
	}
	return v
}

func indent(s *state, line int, t Text, a arguments) any {
	by := Plain("    ")
	if v, ok := a.get(0, "width"); ok {
		if width, ok := v.(Text); ok {
			by = width
		} else {
			n := s.whole(line, v)
			s.spend(line, max(n, 0))
			by = Plain(strings.Repeat(" ", max(n, 0)))
		}
	}
	lines := t.cut("\n", -1)
	s.spend(line, len(lines)*(1+len(by.s)/bytesPerUnit+len(t.runs)))
	for i := range lines {
		if i == 0 && !a.boolean(1, "first", false) || i > 0 && lines[i].s == "" && !a.boolean(2, "blank", false) {
			continue
		}
		lines[i] = joined([]Text{by, lines[i]}, Text{})
	}
	return joined(lines, Plain("\n"))
}

var htmlEscapes = map[rune]string{'&': "&amp;", '<': "&lt;", '>': "&gt;", '\'': "&#39;", '"': "&#34;"}

func escape(_ *state, _ int, t Text, _ arguments) any {
	return t.mapped(func(r rune) string {
		if s, ok := htmlEscapes[r]; ok {
			return s
		}
		return string(r)
	})
}

func joinFilter(s *state, line int, v any, a arguments) any {
	items := s.items(line, v)
	if name, ok := a.get(1, "attribute"); ok {
		items = s.each(line, items, name)
	}
	return s.join(line, items, s.str(line, a.text(line, 0, "d", Text{})), false)
}

// each returns an attribute, by name with dots or by number, of every item.
func (s *state) each(line int, items []any, name any) []any {
	out := make([]any, len(items))
	for i, item := range items {
		out[i] = s.path(line, item, name)
	}
	return out
}

func (s *state) path(line int, v, name any) any {
	t, ok := name.(Text)
	if !ok {
		return s.item(line, v, name)
	}
	s.spendText(line, t)
	for _, part := range strings.Split(t.s, ".") {
		if n, err := strconv.Atoi(part); err == nil {
			v = s.item(line, v, n)
		} else {
			v = s.item(line, v, Plain(part))
		}
	}
	return v
}

func toInt(s *state, line int, v any, a arguments) any {
	switch v := v.(type) {
	case float64:
		if math.Abs(v) < 1<<62 {
			return int(v)
		}
	case Text:
		s.spendText(line, v)
		text := strings.TrimFunc(v.s, isSpace)
		if n, err := strconv.ParseInt(text, a.number(line, 1, "base", 10), 64); err == nil {
			return int(n)
		}
		if f, err := strconv.ParseFloat(text, 64); err == nil && math.Abs(f) < 1<<62 {
			return int(f)
		}
	}
	if n, ok := asInt(v); ok {
		return n
	}
	return a.number(line, 0, "default", 0)
}

func toFloat(s *state, line int, v any, a arguments) any {
	if t, ok := v.(Text); ok {
		s.spendText(line, t)
		if f, err := strconv.ParseFloat(strings.TrimFunc(t.s, isSpace), 64); err == nil {
			return f
		}
	}
	if f, ok := asFloat(v); ok {
		return f
	}
	if with, ok := a.get(0, "default"); ok {
		return with
	}
	return 0.0
}

func absolute(s *state, line int, v any, _ arguments) any {
	if n, ok := asInt(v); ok {
		return max(n, -n)
	}
	f, ok := asFloat(v)
	if !ok {
		fail(line, "abs of a %s", s.named(v))
	}
	return math.Abs(f)
}

func round(s *state, line int, v any, a arguments) any {
	f, ok := asFloat(v)
	if !ok {
		fail(line, "round of a %s", s.named(v))
	}
	scale := math.Pow(10, float64(a.number(line, 0, "precision", 0)))
	switch method := a.text(line, 1, "method", Plain("common")).s; method {
	case "common":
		return math.RoundToEven(f*scale) / scale
	case "ceil":
		return math.Ceil(f*scale) / scale
	case "floor":
		return math.Floor(f*scale) / scale
	default:
		fail(line, "round has no method %s", method)
	}
	return nil
}

func first(s *state, line int, v any, _ arguments) any {
	if items := s.items(line, v); len(items) > 0 {
		return items[0]
	}
	return undefined{"there is no first item"}
}

func last(s *state, line int, v any, _ arguments) any {
	if items := s.items(line, v); len(items) > 0 {
		return items[len(items)-1]
	}
	return undefined{"there is no last item"}
}

func itemsFilter(s *state, line int, v any, _ arguments) any {
	d, ok := v.(*Dict)
	if isUndefined(v) {
		return NewList()
	}
	if !ok {
		fail(line, "a %s has no keys and values", typeName(v))
	}
	return s.pairs(line, d)
}

func reverse(s *state, line int, v any, _ arguments) any {
	items := slices.Clone(s.items(line, v))
	slices.Reverse(items)
	if _, ok := v.(Text); ok {
		return s.join(line, items, Text{}, false)
	}
	return NewList(items...)
}

// order compares for sort, unique, min and max, which disregard case unless told otherwise.
func (s *state) order(line int, a, b any, sensitive bool) int {
	return s.compare(line, s.folded(line, a, sensitive), s.folded(line, b, sensitive), 0)
}

func (s *state) folded(line int, v any, sensitive bool) any {
	if t, ok := v.(Text); ok && !sensitive {
		s.spendText(line, t)
		return lower(t)
	}
	return v
}

func sorted(s *state, line int, v any, a arguments) any {
	items := slices.Clone(s.items(line, v))
	down, sensitive := a.boolean(0, "reverse", false), a.boolean(1, "case_sensitive", false)
	name, by := a.get(2, "attribute")
	slices.SortStableFunc(items, func(x, y any) int {
		if by {
			x, y = s.path(line, x, name), s.path(line, y, name)
		}
		if down {
			x, y = y, x
		}
		return s.order(line, x, y, sensitive)
	})
	return NewList(items...)
}

func dictSort(s *state, line int, v any, a arguments) any {
	d, ok := v.(*Dict)
	if !ok {
		fail(line, "dictsort of a %s", s.named(v))
	}
	pairs := s.pairs(line, d)
	at := map[string]int{"key": 0, "value": 1}[a.text(line, 1, "by", Plain("key")).s]
	slices.SortStableFunc(pairs.Items, func(x, y any) int {
		if a.boolean(2, "reverse", false) {
			x, y = y, x
		}
		return s.order(line, x.(*List).Items[at], y.(*List).Items[at], a.boolean(0, "case_sensitive", false))
	})
	return pairs
}

func unique(s *state, line int, v any, a arguments) any {
	seen := map[any]bool{}
	out := NewList()
	name, by := a.get(1, "attribute")
	for _, item := range s.items(line, v) {
		key := item
		if by {
			key = s.path(line, item, name)
		}
		hash := s.hash(line, s.folded(line, key, a.boolean(0, "case_sensitive", false)))
		if !seen[hash] {
			seen[hash] = true
			out.Items = append(out.Items, item)
		}
	}
	return out
}

// extreme is min, with sign -1, and max, with 1.
func extreme(s *state, line int, v any, a arguments, sign int) any {
	items := s.items(line, v)
	if len(items) == 0 {
		return undefined{"there is no item"}
	}
	best := items[0]
	for _, item := range items[1:] {
		if s.order(line, item, best, a.boolean(0, "case_sensitive", false))*sign > 0 {
			best = item
		}
	}
	return best
}

func sum(s *state, line int, v any, a arguments) any {
	items := s.items(line, v)
	if name, ok := a.get(0, "attribute"); ok && name != nil {
		items = s.each(line, items, name)
	}
	var total any = a.number(line, 1, "start", 0)
	for _, item := range items {
		total = (&binary{line, "+", &constant{total}, &constant{item}}).eval(s, nil)
	}
	return total
}

// mapFilter applies a filter to every item, or takes an attribute of it.
func mapFilter(s *state, line int, v any, a arguments) any {
	items := s.items(line, v)
	if name, ok := a.named["attribute"]; ok {
		out := s.each(line, items, name)
		if with, ok := a.named["default"]; ok {
			for i := range out {
				if isUndefined(out[i]) {
					out[i] = with
				}
			}
		}
		return NewList(out...)
	}
	name := a.text(line, 0, "filter", Text{}).s
	f, ok := filters[name]
	if !ok {
		fail(line, "there is no filter %s", name)
	}
	s.enter(line)
	defer s.leave()
	out := make([]any, len(items))
	for i, item := range items {
		s.spend(line, 1)
		out[i] = f(s, line, item, arguments{list: a.list[1:], named: a.named, names: a.names})
	}
	return NewList(out...)
}

// choose keeps the items, or those with an attribute, for which a test holds, or does not.
func choose(s *state, line int, v any, a arguments, byAttribute, want bool) any {
	rest := a.list
	var name any
	if byAttribute {
		if len(rest) == 0 {
			fail(line, "selectattr and rejectattr need the name of an attribute")
		}
		name, rest = rest[0], rest[1:]
	}
	holds := func(v any) bool { return truth(v) }
	if len(rest) > 0 {
		t, _ := rest[0].(Text)
		f, ok := tests[t.s]
		if !ok {
			fail(line, "there is no test %s", t.s)
		}
		holds = func(v any) bool { return f(s, line, v, arguments{list: rest[1:]}) }
	}
	out := NewList()
	for _, item := range s.items(line, v) {
		s.spend(line, 1)
		x := item
		if byAttribute {
			x = s.path(line, item, name)
		}
		if holds(x) == want {
			out.Items = append(out.Items, item)
		}
	}
	return out
}
