package jinja

import "time"

// Today is the date that strftime_now tells. Templates have no clock: a model would be
// trained with one date and asked with another, and no two trainings would be equal. It is the
// date that Llama 3's templates fall back to.
var Today = time.Date(2024, time.July, 26, 0, 0, 0, 0, time.UTC)

// globals are the names that every template knows.
var globals = map[string]any{
	"range":           &function{"range", rangeOf},
	"namespace":       &function{"namespace", newNamespace},
	"dict":            &function{"dict", func(s *state, line int, a arguments) any { return newDict(s, line, a) }},
	"raise_exception": &function{"raise_exception", raise},
	"strftime_now":    &function{"strftime_now", strftime},
}

func rangeOf(s *state, line int, a arguments) any {
	from, to, step := 0, a.number(line, 0, "stop", 0), a.number(line, 2, "step", 1)
	if len(a.list) > 1 {
		from, to = to, a.number(line, 1, "stop", 0)
	}
	if step == 0 {
		fail(line, "the step of range is 0")
	}
	out := &List{}
	for i := from; step > 0 && i < to || step < 0 && i > to; i += step {
		s.spend(line, 1)
		out.Items = append(out.Items, i)
	}
	return out
}

func newNamespace(s *state, line int, a arguments) any { return &namespace{newDict(s, line, a)} }

// newDict is Python's dict(mapping, name=value, …).
func newDict(s *state, line int, a arguments) *Dict {
	d := NewDict()
	if len(a.list) > 0 {
		from, ok := a.list[0].(*Dict)
		if !ok {
			fail(line, "a dict is made of a dict, not of a %s", s.named(a.list[0]))
		}
		s.spend(line, len(from.keys))
		for i, key := range from.keys {
			d.put(s.hash(line, key), key, from.values[i])
		}
	}
	for _, name := range a.names {
		d.Set(name, a.named[name])
	}
	return d
}

func raise(s *state, line int, a arguments) any {
	msg := Plain("the template refuses this")
	if len(a.list) > 0 {
		msg = s.str(line, a.list[0])
	}
	panic(&Error{Line: line, Msg: msg.s, Raised: true})
}

// directives of strftime, as layouts of package time.
var directives = map[byte]string{
	'a': "Mon", 'A': "Monday", 'b': "Jan", 'B': "January", 'c': "Mon Jan _2 15:04:05 2006", 'd': "02", 'e': "_2", 'H': "15",
	'I': "03", 'j': "002", 'm': "01", 'M': "04", 'p': "PM", 'S': "05", 'x': "01/02/06", 'X': "15:04:05", 'y': "06", 'Y': "2006",
	'F': "2006-01-02", 'T': "15:04:05", 'D': "01/02/06", 'R': "15:04", 'f': "000000", 'Z': "", 'z': "",
}

func strftime(s *state, line int, a arguments) any {
	format := a.text(line, 0, "format", Text{})
	s.spendText(line, format)
	out := make([]byte, 0, len(format.s))
	for i := 0; i < len(format.s); i++ {
		c := format.s[i]
		if c != '%' || i+1 == len(format.s) {
			out = append(out, c)
			continue
		}
		i++
		switch layout, ok := directives[format.s[i]]; {
		case format.s[i] == '%':
			out = append(out, '%')
		case !ok:
			fail(line, "strftime_now does not know %%%c", format.s[i])
		case layout != "":
			out = Today.AppendFormat(out, layout)
		}
	}
	return Plain(string(out))
}
