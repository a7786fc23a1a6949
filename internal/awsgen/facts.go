package main

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// addFacts adds a facts table to the model. Every operation needs a line iam: whoever adds one
// says what it lets its caller do. The lines are, in any order:
//
//	# a comment
//	body 25000000                         bytes of a request body
//	op CreateThing 201                    an operation that gets shapes, and its status
//	iam GetThing x:GetThing thing/{name}  the action that IAM knows it by, and on what: see restjson.Operation.Resource
//	errors CreateThing A B                its exceptions, for SDKs whose sources do not list them
//	pattern Name [a-z]+                   a regular expression
//	or Name [A-Z]+                        an alternative that we accept and AWS does not
//	extra ThingOutput count X-Count integer   a header that AWS sends and the model lacks
//	CreateThingInput                      the struct that the following lines speak of:
//		name 1..63 ~Name                  length, or value of a number; pattern
//		tags 0..200 [1..128 ~Key]         length of the list; its members
//		params 1..16 {1..4 ~Key: ..256}   size of the map; its keys: its values
func (s *service) addFacts(text string) error {
	p := factsParser{service: s}
	for n, line := range strings.Split(text, "\n") {
		if err := p.line(line); err != nil {
			return fmt.Errorf("line %d: %w", n+1, err)
		}
	}
	return p.finish()
}

type factsParser struct {
	*service
	now  *structure        // that member lines speak of
	also map[string]string // pattern to the alternatives that we accept
}

func (p *factsParser) line(line string) error {
	trimmed := strings.TrimSpace(line)
	word, rest, _ := strings.Cut(trimmed, " ")
	rest = strings.TrimSpace(rest)
	switch {
	case trimmed == "" || word == "#":
		return nil
	case line[0] == '\t':
		return p.member(word, rest)
	case word == "body":
		n, err := strconv.ParseInt(rest, 10, 64)
		p.BodyMax = n
		return err
	case word == "op" || word == "errors" || word == "iam":
		return p.operationLine(word, strings.Fields(rest))
	case word == "pattern":
		name, re, _ := strings.Cut(rest, " ")
		p.Patterns[name] = re
		return nil
	case word == "or":
		return p.alternative(rest)
	case word == "extra":
		return p.extra(strings.Fields(rest))
	}
	p.now = p.Structs[word]
	if p.now == nil {
		return fmt.Errorf("the SDK has no struct %s", word)
	}
	return nil
}

func (p *factsParser) operationLine(word string, f []string) error {
	if len(f) < 2 || p.operation(f[0]) == nil {
		return fmt.Errorf("%s %v: want an operation of the SDK and what is known of it", word, f)
	}
	o := p.operation(f[0])
	switch {
	case word == "errors":
		o.Errors = f[1:]
		slices.Sort(o.Errors)
		return nil
	case word == "iam" && len(f) == 3:
		o.Action, o.Resource = f[1], f[2]
		return nil
	case word == "iam":
		return fmt.Errorf("iam %v: want an operation, an action and a resource", f)
	}
	o.Shapes = true
	status, err := strconv.Atoi(f[1])
	o.Status = status
	return err
}

func (p *factsParser) alternative(rest string) error {
	name, re, _ := strings.Cut(rest, " ")
	if p.also == nil {
		p.also = map[string]string{}
	}
	p.also[name] += "|" + re
	return nil
}

// extra adds a header to an output.
func (p *factsParser) extra(f []string) error {
	if len(f) != 4 || p.Structs[f[0]] == nil {
		return fmt.Errorf("extra %v: want a struct, a member, a header and a kind", f)
	}
	st := p.Structs[f[0]]
	st.Members = append(st.Members, &member{
		GoName: strings.ToUpper(f[1][:1]) + f[1][1:], Wire: f[2], In: "header", Type: &shape{Kind: f[3]},
	})
	return nil
}

// memberFacts splits "1..63 ~Name [item facts]" or "… {key facts: value facts}".
var memberFacts = regexp.MustCompile(`^([^\[{]*)(?:\[(.*)\]|\{(.*): (.*)\})?$`)

func (p *factsParser) member(name, rest string) error {
	if p.now == nil {
		return fmt.Errorf("the member %s comes before any struct", name)
	}
	i := slices.IndexFunc(p.now.Members, func(m *member) bool { return lowerFirst(m.GoName) == name })
	if i < 0 {
		return fmt.Errorf("%s has no member %s", p.now.Name, name)
	}
	parts := memberFacts.FindStringSubmatch(rest)
	if parts == nil {
		return fmt.Errorf("%s.%s: cannot read %q", p.now.Name, name, rest)
	}
	t := p.now.Members[i].Type
	t.Limits = parseLimits(parts[1])
	if t.Elem != nil {
		t.Elem.Limits, t.Key = parseLimits(parts[2]+parts[4]), parseLimits(parts[3])
	}
	return nil
}

func parseLimits(s string) (l limits) {
	for _, f := range strings.Fields(s) {
		if name, ok := strings.CutPrefix(f, "~"); ok {
			l.Pattern = name
		} else {
			l.Bounds = f
		}
	}
	return l
}

// resourceForm is the form of restjson.Operation.Resource; its group is the member.
var resourceForm = regexp.MustCompile(`^(?:\*|(?:[a-z|-]+/)?\{(\w+)\})$`)

// checkPermissions checks that every operation says what it needs of IAM, and that the request
// has the member that names its resource: in its path, if nobody reads its body.
func (p *factsParser) checkPermissions() error {
	for _, o := range p.Operations {
		form := resourceForm.FindStringSubmatch(o.Resource)
		if o.Action == "" || form == nil {
			return fmt.Errorf("%s needs a line iam with its action and its resource, and has the action %q on %q", o.Name, o.Action, o.Resource)
		}
		if name := form[1]; name != "" && !p.names(o, name) {
			return fmt.Errorf("%s has no text %s that could name its resource", o.Name, name)
		}
	}
	return nil
}

// names reports whether a request for o has a text of this name.
func (p *factsParser) names(o *operation, name string) bool {
	if !o.Shapes {
		return slices.Contains(strings.FieldsFunc(o.Path, func(c rune) bool { return strings.ContainsRune("/{+}", c) }), name)
	}
	m := p.Structs[o.input()].member(name)
	return m != nil && m.Type.Kind == "string"
}

// finish checks that the patterns exist and compile, that every operation has a permission, and
// adds what we accept beyond AWS.
func (p *factsParser) finish() error {
	if err := p.checkPermissions(); err != nil {
		return err
	}
	for _, st := range p.Structs {
		for _, m := range st.Members {
			for _, l := range m.Type.allLimits() {
				if l.Pattern != "" && p.Patterns[l.Pattern] == "" {
					return fmt.Errorf("%s.%s names an unknown pattern %s", st.Name, m.GoName, l.Pattern)
				}
			}
		}
	}
	for name, re := range p.also {
		if p.Patterns[name] == "" {
			return fmt.Errorf("or names an unknown pattern %s", name)
		}
		p.Also[name] = strings.TrimPrefix(re, "|")
	}
	return nil
}

func (t *shape) allLimits() []limits {
	l := []limits{t.Limits, t.Key}
	if t.Elem != nil {
		l = append(l, t.Elem.allLimits()...)
	}
	return l
}
