package jinja

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// jsonWriter is Python's json.dumps with transformers' defaults.
type jsonWriter struct {
	s         *state
	line      int
	b         builder
	ascii     bool
	sortKeys  bool
	indent    string // of one level
	lines     bool   // break lines
	item, key string // separators
}

func toJSON(s *state, line int, v any, a arguments) any {
	w := jsonWriter{s: s, line: line, item: ", ", key: ": ", ascii: a.boolean(0, "ensure_ascii", false), sortKeys: a.boolean(3, "sort_keys", false)}
	if width, ok := a.get(1, "indent"); ok && width != nil {
		w.lines, w.item = true, ","
		if t, ok := width.(Text); ok {
			w.indent = t.s
		} else {
			n := max(s.whole(line, width), 0)
			s.spend(line, n)
			w.indent = strings.Repeat(" ", n)
		}
	}
	if seps, ok := a.get(2, "separators"); ok && seps != nil {
		l, ok := seps.(*List)
		if !ok || len(l.Items) != 2 {
			fail(line, "tojson: separators must be two texts")
		}
		w.item, w.key = s.str(line, l.Items[0]).s, s.str(line, l.Items[1]).s
	}
	w.value(v, 0)
	return w.b.text()
}

func (w *jsonWriter) put(text string) {
	w.s.spend(w.line, 1+len(text)/bytesPerUnit)
	w.b.add(Plain(text))
}

func (w *jsonWriter) value(v any, depth int) {
	if depth > valueDepthMax {
		fail(w.line, "a value is nested more than %d levels deep", valueDepthMax)
	}
	switch v := v.(type) {
	case nil:
		w.put("null")
	case bool:
		w.put(strconv.FormatBool(v))
	case int:
		w.put(strconv.Itoa(v))
	case float64:
		text := formatFloat(v)
		w.put(cmp.Or(map[string]string{"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[text], text))
	case Text:
		w.text(v)
	case *List:
		w.sequence("[", "]", len(v.Items), depth, func(i int) { w.value(v.Items[i], depth+1) })
	case *Dict:
		order := w.order(v)
		w.sequence("{", "}", len(v.keys), depth, func(i int) {
			w.name(v.keys[order[i]])
			w.put(w.key)
			w.value(v.values[order[i]], depth+1)
		})
	default:
		fail(w.line, "a %s is not JSON", w.s.named(v))
	}
}

// order returns the order in which the keys are written.
func (w *jsonWriter) order(d *Dict) []int {
	order := make([]int, len(d.keys))
	for i := range order {
		order[i] = i
	}
	if w.sortKeys {
		slices.SortStableFunc(order, func(i, j int) int {
			return cmp.Or(w.s.compare(w.line, d.keys[i], d.keys[j], 0), cmp.Compare(i, j))
		})
	}
	return order
}

// name writes a key, which is always a text in JSON.
func (w *jsonWriter) name(key any) {
	switch key := key.(type) {
	case Text:
		w.text(key)
	case nil:
		w.put(`"null"`)
	case bool:
		w.put(strconv.Quote(strconv.FormatBool(key)))
	default:
		w.put(`"` + w.s.str(w.line, key).s + `"`)
	}
}

func (w *jsonWriter) sequence(open, end string, n, depth int, item func(i int)) {
	w.put(open)
	for i := range n {
		if i > 0 {
			w.put(w.item)
		}
		w.breakLine(depth + 1)
		item(i)
	}
	if n > 0 {
		w.breakLine(depth)
	}
	w.put(end)
}

func (w *jsonWriter) breakLine(depth int) {
	if w.lines {
		w.s.spend(w.line, depth*len(w.indent)/bytesPerUnit)
		w.put("\n" + strings.Repeat(w.indent, depth))
	}
}

var jsonEscapes = map[rune]string{'"': `\"`, '\\': `\\`, '\n': `\n`, '\r': `\r`, '\t': `\t`, '\b': `\b`, '\f': `\f`}

func (w *jsonWriter) text(t Text) {
	w.s.spendText(w.line, t)
	body := t.mapped(func(r rune) string {
		if e, ok := jsonEscapes[r]; ok {
			return e
		}
		switch {
		case r < ' ' || w.ascii && r >= 0x7f && r <= 0xffff:
			return fmt.Sprintf(`\u%04x`, r)
		case w.ascii && r > 0xffff:
			high, low := utf16.EncodeRune(r)
			return fmt.Sprintf(`\u%04x\u%04x`, high, low)
		}
		return string(r)
	})
	w.b.add(joined([]Text{Plain(`"`), body, Plain(`"`)}, Text{}))
}
