package restjson

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Union is embedded by the structs of which exactly one member is set.
type Union struct{}

// location says where a member travels.
type location int

const (
	inBody location = iota
	inURI
	inQuery
	inHeader
	inPayload // the whole body, as bytes
)

// locations gives each location the tag that names it.
var locations = map[string]location{
	"json": inBody, "uri": inURI, "query": inQuery, "header": inHeader, "payload": inPayload,
}

// kind is what a value is on the wire.
type kind int

const (
	kindString kind = iota
	kindBool
	kindInt
	kindFloat
	kindTime
	kindBlob
	kindDocument // any JSON, kept as it came
	kindList
	kindMap
	kindStruct
)

// schema is what a struct's tags say.
type schema struct {
	name   string
	union  bool
	fields []field
	body   map[string]int // name to index in fields, of the members that travel in the body
	blob   int            // index in fields of the payload, or -1
}

// field is one member of a struct.
type field struct {
	name     string // on the wire, and in messages
	index    int    // in the Go struct
	in       location
	required bool
	value    shape
}

// shape is a value's kind and its constraints.
type shape struct {
	kind kind
	ptr  bool // the Go value is a pointer to a scalar
	rule rule
	key  rule    // of a map's keys
	elem *shape  // of a list's members or a map's values
	sub  *schema // of a struct
}

// rule holds constraints; a nil or empty one does not constrain.
type rule struct {
	lenMin, lenMax     *int
	rangeMin, rangeMax *float64
	pattern            *pattern
	enum               []string
}

// pattern is a regular expression of the service model: what it says, and what it compiles to.
type pattern struct {
	source string
	re     *regexp.Regexp
}

var (
	timeType     = reflect.TypeFor[time.Time]()
	blobType     = reflect.TypeFor[[]byte]()
	documentType = reflect.TypeFor[json.RawMessage]()
	unionType    = reflect.TypeFor[Union]()
)

// compiler turns struct types into schemas, one API at a time.
type compiler struct {
	api      *API
	schemas  map[reflect.Type]*schema
	patterns map[string]*pattern
}

// compilers holds one compiler for each *API, so that a struct is compiled once however
// many operations use it.
var compilers = struct {
	sync.Mutex
	of map[*API]*compiler
}{of: map[*API]*compiler{}}

// schemaFor returns the schema of T for an API. It panics if T's tags are wrong.
func schemaFor[T any](api *API) *schema {
	compilers.Lock()
	defer compilers.Unlock()
	c := compilers.of[api]
	if c == nil {
		c = &compiler{api: api, schemas: map[reflect.Type]*schema{}, patterns: map[string]*pattern{}}
		compilers.of[api] = c
	}
	return c.schema(reflect.TypeFor[T]())
}

// schema compiles one struct; shapes may refer to each other in circles.
func (c *compiler) schema(t reflect.Type) *schema {
	if s := c.schemas[t]; s != nil {
		return s
	}
	s := &schema{name: t.Name(), body: map[string]int{}, blob: -1}
	c.schemas[t] = s
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Type == unionType {
			s.union = true
			continue
		}
		s.add(c.field(t, f, i))
	}
	return s
}

func (s *schema) add(f field) {
	switch f.in {
	case inBody:
		s.body[f.name] = len(s.fields)
	case inPayload:
		s.blob = len(s.fields)
	}
	s.fields = append(s.fields, f)
}

func (c *compiler) field(t reflect.Type, f reflect.StructField, index int) field {
	out := field{index: index}
	for tag, in := range locations {
		if name := f.Tag.Get(tag); name != "" {
			out.name, out.in = name, in
		}
	}
	where := t.Name() + "." + f.Name
	if out.name == "" {
		panic("restjson: " + where + " has no tag that names it")
	}
	out.value = c.shape(where, f.Type)
	mustTravel(where, out.in, out.value.kind)
	var required bool
	out.value.rule, required = c.rule(where, f.Tag.Get("check"))
	out.required = required
	out.value.key, _ = c.rule(where, f.Tag.Get("key"))
	if item := f.Tag.Get("item"); item != "" {
		out.value.elem.rule, _ = c.rule(where, item)
	}
	return out
}

// mustTravel panics for a member whose kind cannot travel where its tag says.
func mustTravel(where string, in location, k kind) {
	ok := true
	switch in {
	case inURI, inQuery, inHeader:
		ok = k == kindString || k == kindTime || k == kindInt || k == kindBool
	case inPayload:
		ok = k == kindBlob
	}
	if !ok {
		panic("restjson: " + where + " has a type that cannot travel outside of a JSON body")
	}
}

func (c *compiler) shape(where string, t reflect.Type) shape {
	switch t {
	case timeType:
		return shape{kind: kindTime}
	case documentType:
		return shape{kind: kindDocument}
	case blobType:
		return shape{kind: kindBlob}
	}
	switch t.Kind() {
	case reflect.String:
		return shape{kind: kindString}
	case reflect.Bool:
		return shape{kind: kindBool}
	case reflect.Int, reflect.Int64:
		return shape{kind: kindInt}
	case reflect.Float64:
		return shape{kind: kindFloat}
	case reflect.Slice:
		elem := c.shape(where, t.Elem())
		return shape{kind: kindList, elem: &elem}
	case reflect.Map:
		elem := c.shape(where, t.Elem())
		return shape{kind: kindMap, elem: &elem}
	case reflect.Pointer:
		return c.pointer(where, t.Elem())
	case reflect.Struct:
		return shape{kind: kindStruct, sub: c.schema(t)}
	}
	panic(fmt.Sprintf("restjson: %s has a type that has no shape: %s", where, t))
}

func (c *compiler) pointer(where string, t reflect.Type) shape {
	s := c.shape(where, t)
	s.ptr = true
	return s
}

// rule reads a check, item or key tag.
func (c *compiler) rule(where, tag string) (r rule, required bool) {
	for part := range strings.SplitSeq(tag, ",") {
		name, arg, _ := strings.Cut(part, ":")
		switch name {
		case "":
		case "required":
			required = true
		case "len":
			lo, hi := bounds(where, arg)
			r.lenMin, r.lenMax = whole(lo), whole(hi)
		case "range":
			r.rangeMin, r.rangeMax = bounds(where, arg)
		case "pattern":
			r.pattern = c.pattern(where, arg)
		case "enum":
			r.enum = c.api.Enums[arg]
			if len(r.enum) == 0 {
				panic("restjson: " + where + " names an unknown enum " + arg)
			}
		default:
			panic("restjson: " + where + " has an unknown check " + part)
		}
	}
	return r, required
}

func (c *compiler) pattern(where, name string) *pattern {
	if p := c.patterns[name]; p != nil {
		return p
	}
	source, ok := c.api.Patterns[name]
	if !ok {
		panic("restjson: " + where + " names an unknown pattern " + name)
	}
	p := &pattern{source: source, re: anchored(source)}
	if also := c.api.Also[name]; also != "" {
		p.re = anchored(source + "|" + also)
	}
	c.patterns[name] = p
	return p
}

// anchored compiles an expression that must match the whole of a text, as AWS's do; some of
// them carry anchors of their own as well.
func anchored(source string) *regexp.Regexp {
	return regexp.MustCompile(`^(?:` + longRepeat.ReplaceAllString(source, "{$1,}") + `)\z`)
}

// longRepeat finds {m,n} with n of four digits: Go's regexp takes no n above 1000. The
// members with such a pattern are bounded by their length as well.
var longRepeat = regexp.MustCompile(`\{(\d+),\d{4,}\}`)

// bounds reads "lo..hi", where either may be missing.
func bounds(where, s string) (lo, hi *float64) {
	a, b, ok := strings.Cut(s, "..")
	if !ok {
		panic("restjson: " + where + " has bounds without ..: " + s)
	}
	return number(where, a), number(where, b)
}

func number(where, s string) *float64 {
	if s == "" {
		return nil
	}
	x, err := strconv.ParseFloat(s, 64)
	if err != nil {
		panic("restjson: " + where + ": " + err.Error())
	}
	return &x
}

func whole(x *float64) *int {
	if x == nil {
		return nil
	}
	n := int(*x)
	return &n
}
