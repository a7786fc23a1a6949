package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// sdk holds the parsed files of one SDK package while they are read.
type sdk struct {
	*service
	unions map[string]bool
	events map[string]string // operation to its event union
	taken  map[string]bool   // names of operations' inputs and outputs
}

// readSDK reads a service from the directory of its SDK package. Services come in two
// forms: older ones have serializers.go and deserializers.go, newer ones schemas/.
func readSDK(dir string) (*service, error) {
	s := &sdk{
		service: &service{Structs: map[string]*structure{}, Enums: map[string][]string{}, Patterns: map[string]string{}, Also: map[string]string{}},
		unions:  map[string]bool{}, events: map[string]string{}, taken: map[string]bool{},
	}
	types, err := parseDir(filepath.Join(dir, "types"))
	if err != nil {
		return nil, err
	}
	ops, err := parseDir(dir)
	if err != nil {
		return nil, err
	}
	s.readTaken(ops)
	s.readEnums(types)
	s.readUnions(types)
	for _, f := range append(types, ops...) {
		if err := s.readStructs(f); err != nil {
			return nil, err
		}
	}
	s.readOperations(ops)
	if _, err := os.Stat(filepath.Join(dir, "schemas")); errors.Is(err, os.ErrNotExist) {
		return s.service, s.readSerializers(ops)
	}
	schemas, err := parseDir(filepath.Join(dir, "schemas"))
	if err != nil {
		return nil, err
	}
	return s.service, s.readSchemas(schemas)
}

func parseDir(dir string) ([]*ast.File, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

// typeSpecs calls f for every type that a file declares.
func typeSpecs(file *ast.File, f func(spec *ast.TypeSpec)) {
	for _, d := range file.Decls {
		if g, ok := d.(*ast.GenDecl); ok {
			for _, spec := range g.Specs {
				if t, ok := spec.(*ast.TypeSpec); ok {
					f(t)
				}
			}
		}
	}
}

// readEnums collects the string types and the values that their constants have.
func (s *sdk) readEnums(files []*ast.File) {
	for _, file := range files {
		for _, d := range file.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.CONST {
				continue
			}
			for _, spec := range g.Specs {
				v := spec.(*ast.ValueSpec)
				name, ok := v.Type.(*ast.Ident)
				if ok && len(v.Values) == 1 {
					s.Enums[name.Name] = append(s.Enums[name.Name], literal(v.Values[0]))
				}
			}
		}
	}
}

// literal returns the value of a string literal, "" for anything else.
func literal(e ast.Expr) string {
	b, ok := e.(*ast.BasicLit)
	if !ok || b.Kind != token.STRING {
		return ""
	}
	v, _ := strconv.Unquote(b.Value) // the parser has accepted it
	return v
}

// readTaken collects the structs of the operations. Some have the name of a union in the
// SDK's other package, types, which gets another name in ours.
func (s *sdk) readTaken(files []*ast.File) {
	for _, file := range files {
		typeSpecs(file, func(t *ast.TypeSpec) { s.taken[t.Name.Name] = true })
	}
}

// unionName is our name of a union of the SDK.
func (s *sdk) unionName(name string) string {
	if s.taken[name] {
		return name + "Union"
	}
	return name
}

// readUnions collects the interfaces; the structs {Union}Member{Name} are their members.
func (s *sdk) readUnions(files []*ast.File) {
	for _, file := range files {
		typeSpecs(file, func(t *ast.TypeSpec) {
			if _, ok := t.Type.(*ast.InterfaceType); ok {
				s.unions[t.Name.Name] = true
				name := s.unionName(t.Name.Name)
				s.Structs[name] = &structure{Name: name, Union: true}
			}
		})
	}
}

func (s *sdk) readStructs(file *ast.File) (err error) {
	typeSpecs(file, func(t *ast.TypeSpec) {
		st, ok := t.Type.(*ast.StructType)
		if !ok || !t.Name.IsExported() {
			return
		}
		if union, name, ok := s.unionMember(t.Name.Name); ok {
			m := &member{GoName: name, Wire: lowerFirst(name), In: "json"}
			m.Type, err = s.shape(st.Fields.List[0].Type)
			u := s.Structs[s.unionName(union)]
			u.Members = append(u.Members, m)
			return
		}
		s.Structs[t.Name.Name] = s.readStruct(t.Name.Name, st)
	})
	return err
}

// unionMember splits the name of a union's member; the longest union's name that fits wins.
func (s *sdk) unionMember(name string) (union, memberName string, ok bool) {
	for i := len(name) - len("Member"); i > 0; i-- {
		if strings.HasPrefix(name[i:], "Member") && s.unions[name[:i]] {
			return name[:i], name[i+len("Member"):], true
		}
	}
	return "", "", false
}

// readStruct reads the members that have a shape; the SDK's own bookkeeping has none.
func (s *sdk) readStruct(name string, st *ast.StructType) *structure {
	out := &structure{Name: name}
	for _, f := range st.Fields.List {
		if len(f.Names) != 1 || !f.Names[0].IsExported() {
			continue
		}
		t, err := s.shape(f.Type)
		if err != nil {
			continue
		}
		goName := f.Names[0].Name
		out.Members = append(out.Members, &member{
			GoName: goName, Wire: lowerFirst(goName), In: "json", Type: t,
			Required: strings.Contains(f.Doc.Text(), "This member is required."),
		})
	}
	return out
}

// kinds maps the SDK's Go types to the service model's.
var kinds = map[string]string{
	"string": "string", "bool": "boolean", "int32": "integer", "int64": "long",
	"float32": "float", "float64": "float", "byte": "byte",
	"time.Time": "timestamp", "document.Interface": "document",
}

// shape turns a Go type of the SDK into a shape.
func (s *sdk) shape(e ast.Expr) (*shape, error) {
	switch t := e.(type) {
	case *ast.StarExpr:
		return s.shape(t.X)
	case *ast.ArrayType:
		elem, err := s.shape(t.Elt)
		if err == nil && elem.Kind == "byte" {
			return &shape{Kind: "blob"}, nil
		}
		return &shape{Kind: "list", Elem: elem}, err
	case *ast.MapType:
		elem, err := s.shape(t.Value)
		return &shape{Kind: "map", Elem: elem}, err
	case *ast.SelectorExpr:
		pkg, _ := t.X.(*ast.Ident)
		if pkg != nil && pkg.Name == "types" {
			return s.shape(t.Sel)
		}
		if pkg != nil && kinds[pkg.Name+"."+t.Sel.Name] != "" {
			return &shape{Kind: kinds[pkg.Name+"."+t.Sel.Name]}, nil
		}
	case *ast.Ident:
		switch {
		case kinds[t.Name] != "":
			return &shape{Kind: kinds[t.Name]}, nil
		case s.Enums[t.Name] != nil:
			return &shape{Kind: "string", Enum: t.Name}, nil
		case s.unions[t.Name]:
			return &shape{Kind: "structure", Ref: s.unionName(t.Name)}, nil
		case t.IsExported():
			return &shape{Kind: "structure", Ref: t.Name}, nil
		}
	}
	return nil, fmt.Errorf("a type without a shape: %T", e)
}

// readOperations finds the operations by their files' method on Client, and the unions of
// their event streams.
func (s *sdk) readOperations(files []*ast.File) {
	for _, file := range files {
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv == nil {
				continue
			}
			recv := receiver(f)
			switch {
			case recv == "Client" && f.Name.IsExported() && s.Structs[f.Name.Name+"Input"] != nil:
				s.Operations = append(s.Operations, &operation{Name: f.Name.Name, Status: 200})
			case f.Name.Name == "Events" && strings.HasSuffix(recv, "EventStream"):
				union := f.Type.Results.List[0].Type.(*ast.ChanType).Value.(*ast.SelectorExpr).Sel.Name
				s.events[strings.TrimSuffix(recv, "EventStream")] = s.unionName(union)
			}
		}
	}
	for _, o := range s.Operations {
		o.Events = s.events[o.Name]
	}
	slices.SortFunc(s.Operations, func(a, b *operation) int { return strings.Compare(a.Name, b.Name) })
}

// receiver returns the name of a method's receiver type.
func receiver(f *ast.FuncDecl) string {
	t := f.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	id, _ := t.(*ast.Ident)
	if id == nil {
		return ""
	}
	return id.Name
}

// lowerFirst turns a Go name into the member's: the SDK only raises the first letter.
func lowerFirst(s string) string {
	r := []rune(s)
	r[0] = unicode.ToLower(r[0])
	return string(r)
}
