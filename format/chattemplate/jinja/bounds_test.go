package jinja

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestMarksSurvive renders what templates do with content, and shows which bytes are whose:
// those of source 1 are in [], of source 2 in {}.
func TestMarksSurvive(t *testing.T) {
	t.Parallel()
	vars := map[string]any{
		"a": Given(" <|end|>x ", 1), "b": Given("think</think>\n\nsaid <|end|>", 2), "c": Given("a,b", 1),
		"n": NewDict().Set("k", Given("v<|end|>", 1)),
	}
	for _, c := range []struct{ template, want string }{
		{"<|end|>{{ a }}<|end|>", "<|end|>[ <|end|>x ]<|end|>"},
		{"{{ a | trim }}|{{ a.strip() }}|{{ a | trim | upper }}", "[<|end|>x]|[<|end|>x]|[<|END|>X]"},
		{"{{ b.split('</think>')[-1].lstrip('\n') }}", "{said <|end|>}"},
		{"{{ a ~ b }}{{ a + 'm' + b }}", "[ <|end|>x ]{think</think>\n\nsaid <|end|>}[ <|end|>x ]m{think</think>\n\nsaid <|end|>}"},
		{"{{ c.split(',') | join('<|end|>') }}", "[a]<|end|>[b]"},
		{"{{ c | replace(',', '<|end|>') }}{{ 'x,y' | replace(',', c) }}", "[a]<|end|>[b]x[a,b]y"},
		{"{{ a[1:-2] }}{{ a[::-1] }}{{ a[1] }}{{ a | list | join }}", "[<|end|> x>|dne|< < <|end|>x ]"},
		{"{{ n | tojson }}{{ n }}{{ [a] }}", `{"k": "[v<|end|>]"}{'k': '[v<|end|>]'}['[ <|end|>x ]']`},
		{"{{ '%s<|end|>' % c }}{{ '{}-{x}'.format(c, x=c) }}", "[a,b]<|end|>[a,b]-[a,b]"},
		{"{% set x %}{{ c }}<|end|>{% endset %}{{ x }}{{ x | title }}", "[a,b]<|end|>[A,b]<|end|>"},
		{"{% macro m(t) %}<{{ t | indent }}>{% endmacro %}{{ m(c) }}", "<[a,b]>"},
		{"{% filter replace('b', 'B') %}b{{ c }}{% endfilter %}", "B[a,]B"},
		{"{{ c * 2 }}{{ c | first }}{{ c.partition(',')[2] }}{{ c | string | safe | default('x') }}", "[a,ba,baba,b]"},
	} {
		got, err := render(c.template, vars)
		if shown := show(got); err != nil || shown != c.want {
			t.Errorf("%q: %q, %v; want %q", c.template, shown, err, c.want)
		}
	}
}

func show(t Text) string {
	var b strings.Builder
	for part, m := range t.Runs {
		b.WriteString([]string{"", "[", "{"}[m.Source] + part + []string{"", "]", "}"}[m.Source])
	}
	return b.String()
}

func TestGenerationBlocksAreMarked(t *testing.T) {
	t.Parallel()
	got, err := render("a{% for x in 'pq' %}h{% generation %}{{ x }}!{% endgeneration %}t{% endfor %}", nil)
	if err != nil {
		t.Fatal(err)
	}
	var blocks strings.Builder
	for part, m := range got.Runs {
		blocks.WriteString(strings.Repeat(string(rune('0'+m.Block)), len(part)))
	}
	if got.String() != "ahp!thq!t" || blocks.String() != "001100220" {
		t.Errorf("%q %q", got, blocks.String())
	}
	with, _ := Parse("{% generation %}{% endgeneration %}")
	without, _ := Parse("{{ generation }}")
	if !with.HasGeneration() || without.HasGeneration() {
		t.Error("HasGeneration")
	}
}

// TestHostileTemplates would hang, eat the memory or overflow the stack if nothing bounded
// them.
func TestHostileTemplates(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	many := func(s string, n int) string { return strings.Repeat(s, n) }
	for name, template := range map[string]string{
		"loop":            "{% for i in range(1000000000) %}{% endfor %}",
		"nested loops":    "{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}",
		"doubling":        "{% set ns = namespace(x='ab') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
		"doubling lists":  "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
		"repeat":          "{{ 'x' * 1000000000000 }}",
		"repeat list":     "{{ [1] * 1000000000000 }}",
		"repeat nothing":  "{{ '' * 1000000000000 }}",
		"output":          "{% for i in range(1000) %}{{ 'x' * 100000 }}{% endfor %}",
		"replace":         "{% set a = 'a' * 100000 %}{{ a | replace('a', a) }}",
		"replace nothing": "{% set a = 'a' * 100000 %}{{ a | replace('', a) }}",
		"join":            "{% set a = 'a' * 100000 %}{{ a | list | join(a) }}",
		"indent":          "{% set a = 'a\n' * 10000 %}{{ a | indent(1000000000) }}",
		"indent text":     "{% set a = 'a\n' * 10000 %}{{ a | indent(a, true) }}",
		"json indent":     "{{ [[[[1]]]] | tojson(indent=1000000000) }}",
		"power":           "{{ 1 ** 1000000000000 }}",
		"range of ranges": "{% for i in range(99999999) | list %}{% endfor %}",
		"macro recursion": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
		"map recursion":   "{{ [[[1]]] | map('map', 'map', 'map', 'map') | list }}",
		"fanning macros":  "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(40) }}",
		"deep value":      "{% set ns = namespace(x=[]) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
		"deep equality":   "{% set ns = namespace(x=[], y=[]) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}{% set ns.y = [ns.y] %}{% endfor %}{{ ns.x == ns.y }}",
		"wide value":      "{% set ns = namespace(x='ab') %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
		"wide json":       "{% set ns = namespace(x='ab') %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x | tojson }}",
		"wide equality":   "{% set ns = namespace(x=1, y=1) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% set ns.y = [ns.y, ns.y] %}{% endfor %}{{ ns.x == ns.y }}",
		"itself":          "{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}",
		"brackets":        "{{ " + many("(", 100_000) + many(")", 100_000) + " }}",
		"lists":           "{{ " + many("[", 100_000),
		"not":             "{{ " + many("not ", 60_000) + "1 }}",
		"minus":           "{{ " + many("- ", 100_000) + "1 }}",
		"conditions":      "{{ " + many("1 if 1 else ", 20_000) + "1 }}",
		"if":              many("{% if 1 %}", 20_000),
		"long":            many("x", SourceBytesMax+1),
		"sort":            "{{ range(999999) | sort }}",
		"slices":          "{% set a = 'a' * 100000 %}{% for i in a %}{{ a[1:] }}{% endfor %}",
		"characters":      "{% set a = 'a' * 100000 %}{% for i in range(100000) %}{{ a[-1] }}{% endfor %}",
		"contains":        "{% set a = 'a' * 100000 %}{% for i in range(100000) %}{{ 'b' in a }}{% endfor %}",
		"equal":           "{% set a = 'a' * 100000 %}{% set b = a ~ '' %}{% for i in range(100000) %}{{ a == b }}{% endfor %}",
	} {
		if _, err := renderWithin(template, nil, 1<<17); err == nil {
			t.Errorf("%s: no error", name)
		} else if e := (*Error)(nil); !errors.As(err, &e) || strings.Contains(e.Msg, "fault") {
			t.Errorf("%s: %v", name, err)
		}
	}
	runtime.ReadMemStats(&after)
	if made := (after.TotalAlloc - before.TotalAlloc) >> 20; made > 1<<10 {
		t.Errorf("%d MiB were allocated", made)
	}
}

// TestBounds: at each limit a template is rendered, one past it not.
func TestBounds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, at, past string }{
		{"source", strings.Repeat("x", SourceBytesMax), strings.Repeat("x", SourceBytesMax+1)},
		{"brackets", "{{ " + strings.Repeat("[", nestingMax-2) + strings.Repeat("]", nestingMax-2) + " }}",
			"{{ " + strings.Repeat("[", nestingMax+1) + strings.Repeat("]", nestingMax+1) + " }}"},
		{"calls", recursion(callsMax - 1), recursion(callsMax)},
		{"depth", nested(valueDepthMax), nested(valueDepthMax + 1)},
	} {
		if _, err := render(c.at, nil); err != nil {
			t.Errorf("%s at the limit: %v", c.name, err)
		}
		if _, err := render(c.past, nil); err == nil {
			t.Errorf("%s past the limit was rendered", c.name)
		}
	}
	loop, err := Parse("{% for i in range(1000) %}{% endfor %}")
	if err != nil {
		t.Fatal(err)
	}
	var e *Error
	if _, err := loop.Render(nil, 5000); err != nil {
		t.Errorf("within the budget: %v", err)
	}
	if _, err := loop.Render(nil, 1000); !errors.As(err, &e) || !e.Spent {
		t.Errorf("past the budget: %v", err)
	}
}

func recursion(n int) string {
	return "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(" + string(rune('0'+n/10)) + string(rune('0'+n%10)) + ") }}"
}

func nested(n int) string {
	return "{% set ns = namespace(x=[]) %}{% for i in range(" + string(rune('0'+n/100)) + string(rune('0'+n/10%10)) + string(rune('0'+n%10)) +
		") %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}"
}

// FuzzRender: no template hangs or panics, and no text is lost between its marks.
func FuzzRender(f *testing.F) {
	for _, s := range []string{
		"{{ m }}", "{% for x in m %}{{ x }}{% endfor %}", "{{ m | trim | tojson(indent=2) }}", "{%- if m -%} a {#- b -#} {%- endif +%}",
		"{% macro f(a, b=1) %}{{ a }}{% endmacro %}{{ f(m) }}", "{{ m.split(',', 1)[::-1] }}", "{{ '%s{}' % m }}", "{% set x.y = 1 %}",
		"{% generation %}{{ m }}{% endgeneration %}", "{{ -9223372036854775807 - 1 }}", "{{ 'é'[0:9:2] }}", "{% raw %}{{{% endraw %}",
	} {
		f.Add(s, " a,b <|end|> ")
	}
	f.Fuzz(func(t *testing.T, template, text string) {
		got, err := renderWithin(template, map[string]any{"m": Given(text, 1)}, 50_000)
		if err != nil {
			if strings.Contains(err.Error(), "fault") {
				t.Errorf("%q: %v", template, err)
			}
			return
		}
		var all strings.Builder
		for part := range got.Runs {
			if part == "" {
				t.Errorf("%q: an empty run", template)
			}
			all.WriteString(part)
		}
		if all.String() != got.String() {
			t.Errorf("%q: runs of %q are %q", template, got, all.String())
		}
		if !utf8.ValidString(got.String()) {
			t.Errorf("%q: %q is not UTF-8", template, got)
		}
	})
}

// TestWorkOnTextIsPaid: what takes longer the longer a text is costs more of the budget, so that
// doing it over and over ends. Each of these would be within the budget if it cost one unit.
func TestWorkOnTextIsPaid(t *testing.T) {
	t.Parallel()
	const budget = 1 << 16
	a := Given(strings.Repeat("ab ", 10_000), 1)
	var mixed builder
	for i := range 4000 {
		mixed.add(Given("x", 1+i%2))
	}
	vars := map[string]any{"a": a, "digits": Plain(strings.Repeat("1", 30_000)), "mixed": mixed.text(), "d": NewDict().Set("x", 1)}
	many := func(body string) string { return "{% for i in range(1000) %}{{ " + body + " }}{% endfor %}" }
	if _, err := renderWithin(many("'x'.strip('xyz')"), vars, budget); err != nil {
		t.Fatal(err)
	}
	for name, template := range map[string]string{
		"a step":                "{{ mixed[::-1] }}",
		"characters to strip":   many("'x'.strip(a)"),
		"beginnings":            "{% set l = ('q',) * 5000 %}" + many("'x'.startswith(l)"),
		"a long beginning":      many("'x'.startswith(a)"),
		"a long key":            many("d[a]"),
		"a long key looked for": many("a in d"),
		"a long key got":        many("d.get(a)"),
		"a long number":         many("digits | float"),
		"a long whole number":   many("digits | int(5) | string | length"),
		"a long path":           many("[d] | map(attribute=a) | list | length"),
		"a long attribute":      many("d | attr(a)"),
		"lower":                 many("a is lower"),
		"upper":                 many("a is upper"),
	} {
		_, err := renderWithin(template, vars, budget)
		if e := (*Error)(nil); !errors.As(err, &e) || !e.Spent {
			t.Errorf("%s: got %v, want the end of the budget", name, err)
		}
	}
}
