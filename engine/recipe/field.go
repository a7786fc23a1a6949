package recipe

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// field is one hyperparameter: how its value is read and written, and what "auto" means.
type field struct {
	name     string
	want     string // what a value must be
	set      func(t *spec, s string) bool
	get      func(t *spec) string
	rule     func(t *spec, f Facts) // nil: it cannot be chosen
	chosen   bool                   // unless it is given
	adapters bool                   // for outcrop.MethodLoRA only
}

// auto lets the value be "auto": rule chooses it.
func (f field) auto(rule func(*spec, Facts)) field { f.rule = rule; return f }

// open leaves the value to its rule where a job does not name it.
func (f field) open() field { f.chosen = true; return f }

// lora refuses the value where all weights are trained: it is the adapters'.
func (f field) lora() field { f.adapters = true; return f }

// none makes 0, which no caller may give, read as text.
func (f field) none(text string) field {
	get := f.get
	f.get = func(t *spec) string {
		if s := get(t); s != "0" {
			return s
		}
		return text
	}
	return f
}

// wants returns what a value must be, for the sentence that refuses another.
func (f field) wants() string {
	if f.rule == nil {
		return f.want
	}
	return f.want + ", or auto"
}

func integer(name string, lo, hi int, at func(*spec) *int) field {
	return field{
		name: name, want: "an integer from " + strconv.Itoa(lo) + " to " + strconv.Itoa(hi),
		set: func(t *spec, s string) bool {
			n, err := strconv.Atoi(s)
			*at(t) = n
			return err == nil && n >= lo && n <= hi
		},
		get: func(t *spec) string { return strconv.Itoa(*at(t)) },
	}
}

func number(name string, lo, hi float64, at func(*spec) *float64) field {
	return field{
		name: name, want: "a number from " + format(lo) + " to " + format(hi),
		set: func(t *spec, s string) bool {
			x, err := strconv.ParseFloat(s, 64)
			*at(t) = x
			return err == nil && strings.Trim(s, "0123456789.eE+-") == "" && !math.IsNaN(x) && x >= lo && x <= hi
		},
		get: func(t *spec) string { return format(*at(t)) },
	}
}

// format writes x without an exponent, as AWS does.
func format(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

func word[W ~string](name string, at func(*spec) *W, words ...W) field {
	var texts []string
	for _, w := range words {
		texts = append(texts, string(w))
	}
	last := len(texts) - 1
	return field{
		name: name, want: strings.Join(texts[:last], ", ") + " or " + texts[last],
		set: func(t *spec, s string) bool { *at(t) = W(s); return slices.Contains(words, W(s)) },
		get: func(t *spec) string { return string(*at(t)) },
	}
}

func boolean(name string, at func(*spec) *bool) field {
	return field{
		name: name, want: "true or false",
		set: func(t *spec, s string) bool { *at(t) = s == "true"; return s == "true" || s == "false" },
		get: func(t *spec) string { return strconv.FormatBool(*at(t)) },
	}
}

func list(name string, most int, at func(*spec) *[]string) field {
	return field{
		name: name, want: "1 to " + strconv.Itoa(most) + " names of linear layers with commas in between, such as q_proj,v_proj",
		set: func(t *spec, s string) bool {
			*at(t) = strings.Split(s, ",")
			return len(*at(t)) <= most && !slices.ContainsFunc(*at(t), func(s string) bool {
				return s == "" || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_.") != ""
			})
		},
		get: func(t *spec) string {
			if len(*at(t)) == 0 {
				return "all linear layers"
			}
			return strings.Join(*at(t), ",")
		},
	}
}

func seed(name string, at func(*spec) *uint64) field {
	return field{
		name: name, want: "an integer from 0",
		set: func(t *spec, s string) bool {
			n, err := strconv.ParseUint(s, 10, 64)
			*at(t) = n
			return err == nil
		},
		get: func(t *spec) string { return strconv.FormatUint(*at(t), 10) },
	}
}
