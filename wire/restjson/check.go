package restjson

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"outcrop.dev/outcrop"
)

// violationsShown bounds the violations that one message spells out; the message counts all.
const violationsShown = 25

// valueShown bounds the characters of a value that a message quotes.
const valueShown = 200

// place is where a value stands in the request, for messages. Places are linked towards the
// root and spelt only when needed.
type place struct {
	up   *place
	name string
}

// String spells a place as AWS does: jobTags.1.member.key.
func (p *place) String() string {
	if p == nil {
		return ""
	}
	if p.up == nil || p.up.name == "" {
		return p.name
	}
	return p.up.String() + "." + p.name
}

// item returns the place of the list member with this index; AWS counts from 1.
func (p *place) item(index int) *place {
	return &place{up: p, name: strconv.Itoa(index+1) + ".member"}
}

// violated notes a violation in AWS's words. value is the text between "Value" and "at".
func (d *decoder) violated(p *place, value, constraint string) {
	d.broken++
	if len(d.messages) < violationsShown {
		d.messages = append(d.messages, fmt.Sprintf("Value %sat '%s' failed to satisfy constraint: Member must %s", value, p, constraint))
	}
}

// violations returns all that is wrong as one error, nil if nothing is.
func (d *decoder) violations() error {
	if d.broken == 0 {
		return nil
	}
	noun := "errors"
	if d.broken == 1 {
		noun = "error"
	}
	return outcrop.Errorf(outcrop.CodeValidation, "%d validation %s detected: %s", d.broken, noun, strings.Join(d.messages, "; "))
}

func quoted(s string) string { return "'" + shorten(s) + "' " }

// shorten cuts s to valueShown characters.
func shorten(s string) string {
	if len(s) <= valueShown {
		return s
	}
	for i := range s { // the starts of characters
		if i >= valueShown {
			return s[:i] + "..."
		}
	}
	return s
}

func (d *decoder) checkString(p *place, r *rule, s string) {
	d.checkLen(p, r, quoted(s), utf8.RuneCountInString(s))
	if r.pattern != nil && !r.pattern.re.MatchString(s) {
		d.violated(p, quoted(s), "satisfy regular expression pattern: "+r.pattern.source)
	}
	if r.enum != nil && !slices.Contains(r.enum, s) {
		d.violated(p, quoted(s), "satisfy enum value set: ["+strings.Join(r.enum, ", ")+"]")
	}
}

func (d *decoder) checkLen(p *place, r *rule, value string, n int) {
	if r.lenMin != nil && n < *r.lenMin {
		d.violated(p, value, fmt.Sprintf("have length greater than or equal to %d", *r.lenMin))
	}
	if r.lenMax != nil && n > *r.lenMax {
		d.violated(p, value, fmt.Sprintf("have length less than or equal to %d", *r.lenMax))
	}
}

func (d *decoder) checkRange(p *place, r *rule, x float64) {
	value := quoted(strconv.FormatFloat(x, 'g', -1, 64))
	if r.rangeMin != nil && x < *r.rangeMin {
		d.violated(p, value, fmt.Sprintf("have value greater than or equal to %v", *r.rangeMin))
	}
	if r.rangeMax != nil && x > *r.rangeMax {
		d.violated(p, value, fmt.Sprintf("have value less than or equal to %v", *r.rangeMax))
	}
}

// checkPresent notes the required members that are absent and, for a union, that not exactly
// one is present.
func (d *decoder) checkPresent(p *place, s *schema, present []bool) {
	n := 0
	for i, f := range s.fields {
		if present[i] {
			n++
		} else if f.required {
			d.violated(&place{up: p, name: f.name}, "null ", "not be null")
		}
	}
	if s.union && n != 1 {
		d.violated(p, "", fmt.Sprintf("have exactly one of its %d alternatives set, and has %d", len(s.fields), n))
	}
}
