package jinja

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

const plenty = Budget(1 << 20)

// golden is testdata/language.json, which tools/parity/templates.py writes.
type golden struct {
	Variables json.RawMessage
	Cases     []struct{ Template, Want, Error string }
}

// TestLanguage compares snippets with what Jinja2, as transformers configures it, makes of
// them. Every text that the template is given has a mark of its own, which must not change
// what is rendered.
func TestLanguage(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("testdata/language.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(b, &g); err != nil {
		t.Fatal(err)
	}
	for _, source := range []int{0, 1} {
		vars := variables(t, g.Variables, source)
		for _, c := range g.Cases {
			got, err := render(c.Template, vars)
			switch {
			case c.Error != "" && err == nil:
				t.Errorf("%q: rendered %q, want an error: %s", c.Template, got, c.Error)
			case c.Error == "" && err != nil:
				t.Errorf("%q: %v, want %q", c.Template, err, c.Want)
			case c.Error == "" && got.String() != c.Want:
				t.Errorf("%q: rendered %q, want %q", c.Template, got, c.Want)
			}
		}
	}
	if len(g.Cases) < 400 {
		t.Errorf("only %d cases", len(g.Cases))
	}
}

func render(template string, vars map[string]any) (Text, error) {
	return renderWithin(template, vars, plenty)
}

func renderWithin(template string, vars map[string]any, budget Budget) (Text, error) {
	parsed, err := Parse(template)
	if err != nil {
		return Text{}, err
	}
	return parsed.Render(vars, budget)
}

// variables reads an object in the order of its keys.
func variables(t *testing.T, object []byte, source int) map[string]any {
	d := json.NewDecoder(strings.NewReader(string(object)))
	d.UseNumber()
	top := value(t, d, source).(*Dict)
	vars := map[string]any{"tools": nil, "documents": nil, "add_generation_prompt": false}
	for i, key := range top.keys {
		vars[key.(Text).s] = top.values[i]
	}
	return vars
}

func value(t *testing.T, d *json.Decoder, source int) any {
	token, err := d.Token()
	if err != nil {
		t.Fatal(err)
	}
	switch v := token.(type) {
	case string:
		return Given(v, source)
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return int(n)
		}
		f, err := v.Float64()
		if err != nil {
			t.Fatal(err)
		}
		return f
	case json.Delim:
		var out any
		if v == '[' {
			l := NewList()
			for d.More() {
				l.Items = append(l.Items, value(t, d, source))
			}
			out = l
		} else {
			m := NewDict()
			for d.More() {
				key := value(t, d, 0).(Text)
				m.Set(key.s, value(t, d, source))
			}
			out = m
		}
		if _, err := d.Token(); err != nil {
			t.Fatal(err)
		}
		return out
	}
	return token
}
