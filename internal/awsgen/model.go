package main

import (
	"fmt"
	"slices"
)

// service is what we know of one AWS service.
type service struct {
	Name       string
	Source     string // module and version, for the header of the generated file
	BodyMax    int64  // bytes of a request body; 0 for restjson's default
	Operations []*operation
	Structs    map[string]*structure
	Enums      map[string][]string
	Patterns   map[string]string
	Also       map[string]string // what we accept beyond a pattern, by its name
}

// operation is one operation. Those without Shapes are routed to an error.
type operation struct {
	Name, Method, Path string
	Status             int
	Action, Resource   string // what it needs of IAM, as restjson.Operation has them
	Errors             []string
	Events             string // union of an event stream's events; "" if the answer is no stream
	Shapes             bool
}

func (o *operation) input() string  { return o.Name + "Input" }
func (o *operation) output() string { return o.Name + "Output" }

// structure is a struct or a union.
type structure struct {
	Name    string
	Union   bool
	Members []*member
}

// member is one member of a structure.
type member struct {
	GoName   string // as in the SDK: JobName
	Wire     string // jobName, or the query parameter or header
	In       string // json, uri, query, header or payload
	Required bool
	Type     *shape
}

// shape is a member's type.
type shape struct {
	Kind   string // string, boolean, integer, long, float, timestamp, blob, document, list, map, structure
	Ref    string // of a structure
	Enum   string
	Elem   *shape // of a list or a map
	Limits limits
	Key    limits // of a map's keys
}

// limits are the constraints that the facts table knows.
type limits struct {
	Bounds  string // "1..63", or ""; a length, or the value of a number
	Pattern string // a name in service.Patterns
}

func (s *service) operation(name string) *operation {
	for _, o := range s.Operations {
		if o.Name == name {
			return o
		}
	}
	return nil
}

func (s *structure) member(wire string) *member {
	for _, m := range s.Members {
		if m.Wire == wire {
			return m
		}
	}
	return nil
}

// prune drops the structs, enums and patterns that no operation with shapes reaches.
func (s *service) prune() error {
	structs, enums, patterns := map[string]*structure{}, map[string][]string{}, map[string]string{}
	var visit func(name string) error
	var visitShape func(t *shape) error
	visitShape = func(t *shape) error {
		if t == nil {
			return nil
		}
		if t.Enum != "" {
			enums[t.Enum] = s.Enums[t.Enum]
		}
		for _, l := range []limits{t.Limits, t.Key} {
			if l.Pattern != "" {
				patterns[l.Pattern] = s.Patterns[l.Pattern]
			}
		}
		if t.Ref != "" {
			if err := visit(t.Ref); err != nil {
				return err
			}
		}
		return visitShape(t.Elem)
	}
	visit = func(name string) error {
		if structs[name] != nil {
			return nil
		}
		st := s.Structs[name]
		if st == nil {
			return fmt.Errorf("the SDK has no struct %s", name)
		}
		structs[name] = st
		for _, m := range st.Members {
			if err := visitShape(m.Type); err != nil {
				return err
			}
		}
		return nil
	}
	for _, name := range s.roots() {
		if err := visit(name); err != nil {
			return err
		}
	}
	for name := range s.Also {
		if patterns[name] == "" {
			return fmt.Errorf("no member uses the pattern %s that an alternative is for", name)
		}
	}
	s.Structs, s.Enums, s.Patterns = structs, enums, patterns
	return nil
}

// roots names the structs that handlers see.
func (s *service) roots() []string {
	var names []string
	for _, o := range s.Operations {
		switch {
		case !o.Shapes:
		case o.Events != "":
			names = append(names, o.input(), o.Events)
		default:
			names = append(names, o.input(), o.output())
		}
	}
	slices.Sort(names)
	return names
}
