package jinja

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// method returns the method of a value, bound to it, or nil. Those of Python that change a
// list or dict are refused, as transformers' sandbox does.
func method(v any, name string) any {
	var found func(*state, int, arguments) any
	switch v := v.(type) {
	case Text:
		if m, ok := textMethods[name]; ok {
			found = func(s *state, line int, a arguments) any {
				s.spendText(line, v)
				return m(s, line, v, a)
			}
		}
	case *Dict:
		if m, ok := dictMethods[name]; ok {
			found = func(s *state, line int, a arguments) any { return m(s, line, v, a) }
		}
	case *List:
		if m, ok := listMethods[name]; ok {
			found = func(s *state, line int, a arguments) any { return m(s, line, v, a) }
		}
	}
	if found == nil {
		return nil
	}
	return &function{name, found}
}

type (
	textMethod = func(s *state, line int, t Text, a arguments) any
	dictMethod = func(s *state, line int, d *Dict, a arguments) any
	listMethod = func(s *state, line int, l *List, a arguments) any
)

var textMethods = map[string]textMethod{
	"strip":      func(s *state, line int, t Text, a arguments) any { return strip(s, line, t, a, true, true) },
	"lstrip":     func(s *state, line int, t Text, a arguments) any { return strip(s, line, t, a, true, false) },
	"rstrip":     func(s *state, line int, t Text, a arguments) any { return strip(s, line, t, a, false, true) },
	"split":      func(s *state, line int, t Text, a arguments) any { return split(s, line, t, a) },
	"rsplit":     func(s *state, line int, t Text, a arguments) any { return rsplit(s, line, t, a) },
	"splitlines": func(s *state, line int, t Text, a arguments) any { return splitLines(s, line, t, a) },
	"partition":  func(s *state, line int, t Text, a arguments) any { return partition(line, t, a, strings.Index, false) },
	"rpartition": func(s *state, line int, t Text, a arguments) any {
		return partition(line, t, a, strings.LastIndex, true)
	},
	"startswith":   func(s *state, line int, t Text, a arguments) any { return affix(s, line, t, a, strings.HasPrefix) },
	"endswith":     func(s *state, line int, t Text, a arguments) any { return affix(s, line, t, a, strings.HasSuffix) },
	"removeprefix": removePrefix,
	"removesuffix": removeSuffix,
	"replace":      replaceMethod,
	"join":         joinMethod,
	"find":         func(s *state, line int, t Text, a arguments) any { return find(line, t, a, strings.Index) },
	"rfind":        func(s *state, line int, t Text, a arguments) any { return find(line, t, a, strings.LastIndex) },
	"index":        func(s *state, line int, t Text, a arguments) any { return mustFind(line, t, a, strings.Index) },
	"rindex":       func(s *state, line int, t Text, a arguments) any { return mustFind(line, t, a, strings.LastIndex) },
	"count":        countText,
	"upper":        func(s *state, line int, t Text, a arguments) any { return upper(t) },
	"lower":        func(s *state, line int, t Text, a arguments) any { return lower(t) },
	"title":        func(s *state, line int, t Text, a arguments) any { return titled(t, unicode.IsLetter) },
	"capitalize":   func(s *state, line int, t Text, a arguments) any { return capitalized(t) },
	"isdigit":      func(s *state, line int, t Text, a arguments) any { return every(t, unicode.IsDigit) },
	"isalpha":      func(s *state, line int, t Text, a arguments) any { return every(t, unicode.IsLetter) },
	"isalnum": func(s *state, line int, t Text, a arguments) any {
		return every(t, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) })
	},
	"isspace": func(s *state, line int, t Text, a arguments) any { return every(t, isSpace) },
	"isupper": func(s *state, line int, t Text, a arguments) any { return oneCase(t, unicode.IsUpper, unicode.IsLower) },
	"islower": func(s *state, line int, t Text, a arguments) any { return oneCase(t, unicode.IsLower, unicode.IsUpper) },
	"format":  formatMethod,
}

func strip(s *state, line int, t Text, a arguments, left, right bool) Text {
	drop := isSpace
	if v, ok := a.get(0, "chars"); ok && v != nil {
		chars := a.text(line, 0, "chars", Text{})
		s.spendText(line, chars)
		set := map[rune]bool{}
		for _, r := range chars.s {
			set[r] = true
		}
		drop = func(r rune) bool { return set[r] }
	}
	return t.trimmed(left, right, drop)
}

// pieces pays for a list of texts and returns it.
func (s *state) pieces(line int, texts []Text) *List {
	l := &List{Items: make([]any, len(texts))}
	for i, t := range texts {
		s.spend(line, 1+len(t.runs))
		l.Items[i] = t
	}
	return l
}

// separator returns what split cuts at; ok is false if it is white space.
func separator(line int, a arguments) (sep string, ok bool) {
	if v, given := a.get(0, "sep"); !given || v == nil {
		return "", false
	}
	if sep = a.text(line, 0, "sep", Text{}).s; sep == "" {
		fail(line, "split needs a separator that is not empty")
	}
	return sep, true
}

func split(s *state, line int, t Text, a arguments) any {
	most := a.number(line, 1, "maxsplit", -1)
	if sep, ok := separator(line, a); ok {
		s.spend(line, strings.Count(t.s, sep)*(1+len(t.runs)))
		return s.pieces(line, t.cut(sep, most))
	}
	var words []Text
	rest := t.trimmed(true, false, isSpace)
	for rest.s != "" {
		s.spend(line, 1+len(rest.runs))
		end := strings.IndexFunc(rest.s, isSpace)
		if end < 0 || len(words) == most {
			if len(words) == most {
				rest = rest.trimmed(false, true, isSpace)
			}
			words = append(words, rest)
			break
		}
		words = append(words, rest.slice(0, end))
		rest = rest.slice(end, len(rest.s)).trimmed(true, false, isSpace)
	}
	return s.pieces(line, words)
}

// rsplit cuts from the right, which differs from split only where maxsplit bounds it.
func rsplit(s *state, line int, t Text, a arguments) any {
	most := a.number(line, 1, "maxsplit", -1)
	sep, ok := separator(line, a)
	if most < 0 {
		return split(s, line, t, a)
	}
	if !ok {
		fail(line, "rsplit at white space with a limit is not supported")
	}
	s.spend(line, strings.Count(t.s, sep)*(1+len(t.runs)))
	all := t.cut(sep, -1)
	if extra := len(all) - 1 - most; extra > 0 {
		head := joined(all[:extra+1], Plain(sep)) // as long as it was
		all = append([]Text{t.slice(0, len(head.s))}, all[extra+1:]...)
	}
	return s.pieces(line, all)
}

func splitLines(s *state, line int, t Text, a arguments) any {
	keep := a.boolean(0, "keepends", false)
	var lines []Text
	for rest := t; rest.s != ""; {
		s.spend(line, 1+len(rest.runs))
		end := strings.IndexAny(rest.s, "\n\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029")
		if end < 0 {
			lines = append(lines, rest)
			break
		}
		_, size := utf8.DecodeRuneInString(rest.s[end:])
		if strings.HasPrefix(rest.s[end:], "\r\n") {
			size = 2
		}
		if keep {
			lines = append(lines, rest.slice(0, end+size))
		} else {
			lines = append(lines, rest.slice(0, end))
		}
		rest = rest.slice(end+size, len(rest.s))
	}
	return s.pieces(line, lines)
}

func partition(line int, t Text, a arguments, search func(s, sep string) int, right bool) any {
	sep := a.text(line, 0, "sep", Text{})
	if sep.s == "" {
		fail(line, "partition needs a separator that is not empty")
	}
	parts := &List{Items: []any{t, Text{}, Text{}}, tuple: true}
	if i := search(t.s, sep.s); i >= 0 {
		parts.Items = []any{t.slice(0, i), t.slice(i, i+len(sep.s)), t.slice(i+len(sep.s), len(t.s))}
	} else if right {
		parts.Items = []any{Text{}, Text{}, t}
	}
	return parts
}

// affix is startswith and endswith, of one text or of any of a tuple.
func affix(s *state, line int, t Text, a arguments, has func(s, fix string) bool) any {
	v, _ := a.get(0, "prefix")
	options := []any{v}
	if l, ok := v.(*List); ok && l.tuple {
		options = l.Items
	}
	for _, o := range options {
		fix, ok := o.(Text)
		if !ok {
			fail(line, "startswith and endswith need a text, not a %s", typeName(o))
		}
		s.spend(line, 1+len(fix.s)/bytesPerUnit)
		if has(t.s, fix.s) {
			return true
		}
	}
	return false
}

func removePrefix(_ *state, line int, t Text, a arguments) any {
	return t.slice(len(t.s)-len(strings.TrimPrefix(t.s, a.text(line, 0, "prefix", Text{}).s)), len(t.s))
}

func removeSuffix(_ *state, line int, t Text, a arguments) any {
	return t.slice(0, len(strings.TrimSuffix(t.s, a.text(line, 0, "suffix", Text{}).s)))
}

func replaceMethod(s *state, line int, t Text, a arguments) any {
	return s.replace(line, t, a.text(line, 0, "old", Text{}), a.text(line, 1, "new", Text{}), a.number(line, 2, "count", -1))
}

// replace replaces the first n occurrences, or all if n is negative.
func (s *state) replace(line int, t, old, with Text, n int) Text {
	count := strings.Count(t.s, old.s)
	if n >= 0 {
		count = min(count, n)
	}
	s.spend(line, len(t.s)/bytesPerUnit)
	for range count {
		s.spend(line, 1+len(with.s)/bytesPerUnit+len(with.runs)+len(t.runs))
	}
	if old.s != "" {
		return joined(t.cut(old.s, count), with)
	}
	var b builder // before each character, and at the end
	for i, r := range t.s {
		if count > 0 {
			b.add(with)
			count--
		}
		b.add(t.slice(i, i+utf8.RuneLen(r)))
	}
	if count > 0 {
		b.add(with)
	}
	return b.text()
}

func joinMethod(s *state, line int, t Text, a arguments) any {
	v, _ := a.get(0, "iterable")
	return s.join(line, s.items(line, v), t, true)
}

// join joins the values, which must be texts if strict.
func (s *state) join(line int, items []any, sep Text, strict bool) Text {
	texts := make([]Text, len(items))
	for i, item := range items {
		if _, ok := item.(Text); strict && !ok {
			fail(line, "join needs texts, and item %d is a %s", i, typeName(item))
		}
		s.spendText(line, sep)
		texts[i] = s.str(line, item)
	}
	return joined(texts, sep)
}

// find returns the position of a text in characters, or -1.
func find(line int, t Text, a arguments, search func(s, sub string) int) int {
	from := 0
	if start := a.number(line, 1, "start", 0); start > 0 {
		from = t.offset(start)
	} else if start < 0 {
		from = t.offset(max(t.length()+start, 0))
	}
	i := search(t.s[from:], a.text(line, 0, "sub", Text{}).s)
	if i < 0 {
		return -1
	}
	return utf8.RuneCountInString(t.s[:from+i])
}

func mustFind(line int, t Text, a arguments, search func(s, sub string) int) any {
	i := find(line, t, a, search)
	if i < 0 {
		fail(line, "the text that index looks for is not there")
	}
	return i
}

func countText(_ *state, line int, t Text, a arguments) any {
	return strings.Count(t.s, a.text(line, 0, "sub", Text{}).s)
}

func upper(t Text) Text { return t.mapped(upperRune) }
func lower(t Text) Text { return t.mapped(func(r rune) string { return strings.ToLower(string(r)) }) }

// longUpper are the letters whose upper case is several, of those in use (Unicode's
// SpecialCasing.txt), which package unicode does not have.
var longUpper = map[rune]string{'ß': "SS", 'ﬀ': "FF", 'ﬁ': "FI", 'ﬂ': "FL", 'ﬃ': "FFI", 'ﬄ': "FFL", 'ﬅ': "ST", 'ﬆ': "ST", 'ŉ': "ʼN"}

func upperRune(r rune) string {
	if s, ok := longUpper[r]; ok {
		return s
	}
	return strings.ToUpper(string(r))
}

// titled writes the first letter of each word in upper case, the others in lower.
func titled(t Text, inWord func(r rune) bool) Text {
	begins := true
	return t.mapped(func(r rune) string {
		first := begins
		if begins = !inWord(r); first {
			return strings.ToUpper(string(r))
		}
		return strings.ToLower(string(r))
	})
}

func capitalized(t Text) Text {
	first := true
	return t.mapped(func(r rune) string {
		if first {
			first = false
			return strings.ToUpper(string(r))
		}
		return strings.ToLower(string(r))
	})
}

func every(t Text, is func(r rune) bool) bool {
	return t.s != "" && strings.IndexFunc(t.s, func(r rune) bool { return !is(r) }) < 0
}

// oneCase reports whether there are letters of one case and none of the other.
func oneCase(t Text, want, other func(r rune) bool) bool {
	return strings.IndexFunc(t.s, want) >= 0 && strings.IndexFunc(t.s, other) < 0
}

var dictMethods = map[string]dictMethod{
	"items": func(s *state, line int, d *Dict, _ arguments) any { return s.pairs(line, d) },
	"keys": func(s *state, line int, d *Dict, _ arguments) any {
		s.spend(line, len(d.keys))
		return NewList(d.keys...)
	},
	"values": func(s *state, line int, d *Dict, _ arguments) any {
		s.spend(line, len(d.keys))
		return NewList(d.values...)
	},
	"get": func(s *state, line int, d *Dict, a arguments) any {
		key, _ := a.get(0, "key")
		if v, ok := d.get(s.hash(line, key)); ok {
			return v
		}
		v, _ := a.get(1, "default")
		return v
	},
	"copy": func(s *state, line int, d *Dict, _ arguments) any {
		return newDict(s, line, arguments{list: []any{d}})
	},
	"clear": refused, "pop": refused, "popitem": refused, "setdefault": refused, "update": refused,
}

func refused(_ *state, line int, _ *Dict, _ arguments) any {
	fail(line, "a template must not change what it is given")
	return nil
}

// pairs returns the keys with their values.
func (s *state) pairs(line int, d *Dict) *List {
	s.spend(line, 2*len(d.keys))
	l := &List{Items: make([]any, len(d.keys))}
	for i := range d.keys {
		l.Items[i] = &List{Items: []any{d.keys[i], d.values[i]}, tuple: true}
	}
	return l
}

var listMethods = map[string]listMethod{
	"index": func(s *state, line int, l *List, a arguments) any {
		want, _ := a.get(0, "value")
		for i, item := range l.Items {
			if s.equal(line, item, want, 0) {
				return i
			}
		}
		fail(line, "the value that index looks for is not in the list")
		return nil
	},
	"count": func(s *state, line int, l *List, a arguments) any {
		want, _ := a.get(0, "value")
		n := 0
		for _, item := range l.Items {
			if s.equal(line, item, want, 0) {
				n++
			}
		}
		return n
	},
	"copy": func(s *state, line int, l *List, _ arguments) any {
		s.spend(line, len(l.Items))
		return &List{append([]any(nil), l.Items...), l.tuple}
	},
	"append": refusedList, "clear": refusedList, "extend": refusedList, "insert": refusedList, "pop": refusedList,
	"remove": refusedList, "reverse": refusedList, "sort": refusedList,
}

func refusedList(s *state, line int, _ *List, a arguments) any { return refused(s, line, nil, a) }

// formatMethod is str.format without format specifications.
func formatMethod(s *state, line int, t Text, a arguments) any {
	var b builder
	next := 0
	for rest := t; rest.s != ""; {
		s.spend(line, 1+len(rest.runs))
		i := strings.IndexAny(rest.s, "{}")
		if i < 0 {
			b.add(rest)
			break
		}
		b.add(rest.slice(0, i))
		if strings.HasPrefix(rest.s[i:], "{{") || strings.HasPrefix(rest.s[i:], "}}") {
			b.add(rest.slice(i, i+1))
			rest = rest.slice(i+2, len(rest.s))
			continue
		}
		end := strings.IndexByte(rest.s[i:], '}')
		if rest.s[i] != '{' || end < 0 {
			fail(line, "format: a brace stands alone")
		}
		b.add(s.str(line, field(line, rest.s[i+1:i+end], a, &next)))
		rest = rest.slice(i+end+1, len(rest.s))
	}
	return b.text()
}

// field returns the argument that a replacement field names.
func field(line int, name string, a arguments, next *int) any {
	i := *next
	switch {
	case name == "":
		*next++
	case every(Plain(name), unicode.IsDigit) && len(name) < 3:
		i = int(name[0] - '0')
		if len(name) > 1 {
			i = i*10 + int(name[1]-'0')
		}
	default:
		v, ok := a.named[name]
		if !ok {
			fail(line, "format: the field {%s} is not supported, or has no argument", name)
		}
		return v
	}
	if i >= len(a.list) {
		fail(line, "format: there is no argument %d", i)
	}
	return a.list[i]
}

// percent is text % values, with %s, %d, %r and %%.
func (s *state) percent(line int, t Text, values []any) Text {
	var b builder
	for rest := t; rest.s != ""; {
		s.spend(line, 1+len(rest.runs))
		i := strings.IndexByte(rest.s, '%')
		if i < 0 || i+1 == len(rest.s) {
			b.add(rest)
			break
		}
		b.add(rest.slice(0, i))
		verb := rest.s[i+1]
		rest = rest.slice(i+2, len(rest.s))
		if verb == '%' {
			b.add(Plain("%"))
			continue
		}
		if len(values) == 0 || !strings.ContainsRune("sdr", rune(verb)) {
			fail(line, "%%%c is not supported, or has no argument", verb)
		}
		if verb == 'r' {
			s.repr(line, values[0], &b, 0)
		} else {
			b.add(s.str(line, values[0]))
		}
		values = values[1:]
	}
	return b.text()
}
