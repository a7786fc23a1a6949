package restjsontest

import (
	"encoding/json"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"outcrop.dev/outcrop/wire/restjson"
)

// manyMax bounds a value that is longer than it may be: a body has a limit of its own.
const manyMax = 50_000

// broken is a value that breaks one thing.
type broken struct {
	value        any
	what, member string
}

type breaker struct{ api *restjson.API }

// field breaks a member in every way. within are the structs that it stands in.
func (b breaker) field(f reflect.StructField, within []reflect.Type) []broken {
	name := wireName(f)
	if name == "" {
		return nil
	}
	t := f.Type
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	all := b.rules(t, f.Tag.Get("check"), name)
	all = append(all, wrongType(t, name)...)
	return append(all, b.inside(t, f.Tag, name, within)...)
}

func wireName(f reflect.StructField) string {
	for _, tag := range []string{"json", "uri", "query", "header"} {
		if name := f.Tag.Get(tag); name != "" {
			return name
		}
	}
	return ""
}

// rules breaks what a check tag says.
func (b breaker) rules(t reflect.Type, tag, name string) (all []broken) {
	add := func(what string, value any) { all = append(all, broken{value, name + " " + what, name}) }
	for part := range strings.SplitSeq(tag, ",") {
		rule, arg, _ := strings.Cut(part, ":")
		lo, hi, _ := strings.Cut(arg, "..")
		switch rule {
		case "len":
			if n, err := strconv.Atoi(lo); err == nil && n > 0 {
				add("too short", many(t, n-1))
			}
			if n, err := strconv.Atoi(hi); err == nil && n < manyMax {
				add("too long", many(t, n+1))
			}
		case "range":
			if x, err := strconv.ParseFloat(lo, 64); err == nil {
				add("too small", x-1)
			}
			if x, err := strconv.ParseFloat(hi, 64); err == nil {
				add("too large", x+1)
			}
		case "enum":
			add("no value of the enum", "NoSuchValue")
		case "pattern":
			if s, ok := b.unlike(arg); ok {
				add("against its pattern", s)
			}
		}
	}
	return all
}

var longRepeat = regexp.MustCompile(`\{(\d+),\d{4,}\}`) // which Go's regexp does not take

// unlike returns a text that a pattern does not match; some match all.
func (b breaker) unlike(pattern string) (string, bool) {
	source := b.api.Patterns[pattern]
	if also := b.api.Also[pattern]; also != "" {
		source += "|" + also
	}
	re := regexp.MustCompile(`^(?:` + longRepeat.ReplaceAllString(source, "{$1,}") + `)\z`)
	for _, s := range []string{"!", "é", "a b", "\n", "\x01", "", strings.Repeat("a", 300)} {
		if !re.MatchString(s) {
			return s, true
		}
	}
	return "", false
}

// many is a value of n characters, members or keys.
func many(t reflect.Type, n int) any {
	switch {
	case t.Kind() == reflect.Map:
		m := map[string]any{}
		for i := range n {
			m["k"+strconv.Itoa(i)] = sample(t.Elem(), nil)
		}
		return m
	case t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8:
		return slices.Repeat([]any{sample(t.Elem(), nil)}, n)
	case t.Kind() == reflect.Slice:
		return make([]byte, n) // base64
	}
	return strings.Repeat("a", n)
}

var (
	timeType     = reflect.TypeFor[time.Time]()
	blobType     = reflect.TypeFor[[]byte]()
	documentType = reflect.TypeFor[json.RawMessage]()
	unionType    = reflect.TypeFor[restjson.Union]()
)

// wrongType is a value of another kind.
func wrongType(t reflect.Type, name string) []broken {
	wrong := func(v any) []broken { return []broken{{v, name + " of another type", ""}} }
	switch {
	case t == documentType:
		return nil
	case t == timeType:
		return wrong("yesterday")
	case t == blobType:
		return wrong("!!!")
	}
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		return wrong([]any{})
	case reflect.Slice:
		return wrong(map[string]any{})
	case reflect.String:
		return wrong(map[string]any{"a": 1})
	}
	return wrong("x")
}

// inside breaks what a struct, a list or a map holds.
func (b breaker) inside(t reflect.Type, tag reflect.StructTag, name string, within []reflect.Type) (all []broken) {
	switch {
	case t == timeType || t == blobType || t == documentType:
	case t.Kind() == reflect.Struct:
		all = b.members(t, within)
	case t.Kind() == reflect.Slice:
		for _, x := range b.element(t.Elem(), tag, name, within) {
			all = append(all, broken{[]any{x.value}, name + " 1: " + x.what, x.member})
		}
	case t.Kind() == reflect.Map:
		for _, x := range b.element(t.Elem(), tag, name, within) {
			all = append(all, broken{map[string]any{"k": x.value}, name + " k: " + x.what, x.member})
		}
		for _, x := range b.rules(reflect.TypeFor[string](), tag.Get("key"), name) {
			all = append(all, broken{map[string]any{x.value.(string): sample(t.Elem(), nil)}, "key of " + x.what, x.member})
		}
	}
	return all
}

func (b breaker) element(t reflect.Type, tag reflect.StructTag, name string, within []reflect.Type) []broken {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	all := append(b.rules(t, tag.Get("item"), name), wrongType(t, name)...)
	return append(all, b.inside(t, "", name, within)...)
}

// members breaks each member of a struct, and leaves out each that it must have.
func (b breaker) members(t reflect.Type, within []reflect.Type) (all []broken) {
	if slices.Contains(within, t) {
		return nil // shapes refer to each other in circles
	}
	within = append(slices.Clip(within), t)
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Type == unionType {
			all = append(all, broken{map[string]any{}, t.Name() + " with none of its alternatives", ""})
			continue
		}
		name := f.Tag.Get("json")
		if strings.HasPrefix(f.Tag.Get("check"), "required") {
			all = append(all, broken{map[string]any{}, "no " + name, name})
		}
		for _, x := range b.field(f, within) {
			all = append(all, broken{map[string]any{name: x.value}, x.what, x.member})
		}
	}
	return all
}
