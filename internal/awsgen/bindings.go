package main

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
)

// readSerializers reads an older service: paths, methods and bindings from the functions of
// serializers.go, errors from those of deserializers.go.
func (s *sdk) readSerializers(files []*ast.File) error {
	for _, file := range files {
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			s.readSerializer(f)
		}
	}
	for _, o := range s.Operations {
		if o.Path == "" || o.Method == "" {
			return fmt.Errorf("%s has no path in serializers.go", o.Name)
		}
	}
	return nil
}

func (s *sdk) readSerializer(f *ast.FuncDecl) {
	const (
		serialize = "awsRestjson1_serializeOp"
		bindings  = "awsRestjson1_serializeOpHttpBindings"
		opError   = "awsRestjson1_deserializeOpError"
	)
	name := f.Name.Name
	switch {
	case f.Recv != nil && name == "HandleSerialize":
		if o := s.operation(strings.TrimPrefix(receiver(f), serialize)); o != nil {
			o.Path, o.Method = requestLine(f)
		}
	case strings.HasPrefix(name, bindings):
		if st := s.Structs[strings.TrimPrefix(name, bindings)]; st != nil {
			readBindings(f, st)
		}
	case strings.HasPrefix(name, opError):
		if o := s.operation(strings.TrimPrefix(name, opError)); o != nil {
			o.Errors = exceptions(f)
		}
	}
}

// calls visits the calls of a method by this name anywhere in n.
func calls(n ast.Node, method string, f func(c *ast.CallExpr)) {
	ast.Inspect(n, func(n ast.Node) bool {
		if c, ok := n.(*ast.CallExpr); ok {
			if sel, ok := c.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == method {
				f(c)
			}
		}
		return true
	})
}

// requestLine finds httpbinding.SplitURI("/path") and request.Method = "POST".
func requestLine(f *ast.FuncDecl) (path, method string) {
	calls(f, "SplitURI", func(c *ast.CallExpr) { path = literal(c.Args[0]) })
	ast.Inspect(f, func(n ast.Node) bool {
		if a, ok := n.(*ast.AssignStmt); ok && len(a.Lhs) == 1 {
			if sel, ok := a.Lhs[0].(*ast.SelectorExpr); ok && sel.Sel.Name == "Method" {
				method = literal(a.Rhs[0])
			}
		}
		return true
	})
	return path, method
}

// readBindings reads the ifs of a bindings function: if v.JobName … { encoder.SetURI("jobName")… }.
func readBindings(f *ast.FuncDecl, st *structure) {
	for _, stmt := range f.Body.List {
		branch, ok := stmt.(*ast.IfStmt)
		if !ok {
			continue
		}
		m := tested(branch, st)
		if m == nil {
			continue
		}
		for method, in := range map[string]string{"SetURI": "uri", "SetQuery": "query", "AddQuery": "query", "SetHeader": "header"} {
			calls(branch.Body, method, func(c *ast.CallExpr) { m.In, m.Wire = in, argument(branch.Body, c) })
		}
	}
}

// argument returns the name that a Set call has: a literal, or the variable locationName
// which the body assigns from one.
func argument(body ast.Node, c *ast.CallExpr) (name string) {
	if name = literal(c.Args[0]); name != "" {
		return name
	}
	ast.Inspect(body, func(n ast.Node) bool {
		if a, ok := n.(*ast.AssignStmt); ok && name == "" {
			name = literal(a.Rhs[0])
		}
		return true
	})
	return name
}

// tested returns the member that an if's condition looks at.
func tested(branch *ast.IfStmt, st *structure) (m *member) {
	ast.Inspect(branch.Cond, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			for _, c := range st.Members {
				if c.GoName == sel.Sel.Name {
					m = c
				}
			}
		}
		return true
	})
	return m
}

// exceptions returns the exceptions that an operation's error function compares with.
func exceptions(f *ast.FuncDecl) (names []string) {
	calls(f, "EqualFold", func(c *ast.CallExpr) { names = append(names, literal(c.Args[0])) })
	slices.Sort(names)
	return names
}

// readSchemas reads a newer service: NewSchema(…, &smithytraits.HTTP{…}) gives paths,
// X.AddMember("name", target, traits…) bindings. The errors of each operation are not there.
func (s *sdk) readSchemas(files []*ast.File) error {
	for _, file := range files {
		calls(file, "NewSchema", s.readOperationSchema)
		calls(file, "AddMember", s.readMemberSchema)
	}
	for _, o := range s.Operations {
		if o.Path == "" {
			return fmt.Errorf("%s has no path in schemas", o.Name)
		}
	}
	return nil
}

func (s *sdk) readOperationSchema(c *ast.CallExpr) {
	id, ok := c.Args[0].(*ast.CompositeLit)
	if !ok {
		return
	}
	o := s.operation(element(id, "Name"))
	for _, arg := range c.Args[1:] {
		if name, lit := trait(arg); o != nil && name == "HTTP" {
			o.Method, o.Path = element(lit, "Method"), element(lit, "URI")
		}
	}
}

func (s *sdk) readMemberSchema(c *ast.CallExpr) {
	owner, ok := c.Fun.(*ast.SelectorExpr).X.(*ast.Ident)
	if !ok {
		return
	}
	name := owner.Name
	if n, ok := strings.CutSuffix(name, "Request"); ok && s.operation(n) != nil {
		name = n + "Input"
	} else if n, ok := strings.CutSuffix(name, "Response"); ok && s.operation(n) != nil {
		name = n + "Output"
	}
	st := s.Structs[name]
	if st == nil {
		return
	}
	m := st.member(literal(c.Args[0]))
	for _, arg := range c.Args[2:] {
		if trait, lit := trait(arg); m != nil {
			m.bind(trait, lit)
		}
	}
}

// bind applies a trait of a member's schema.
func (m *member) bind(trait string, lit *ast.CompositeLit) {
	switch trait {
	case "HTTPLabel":
		m.In = "uri"
	case "HTTPPayload":
		m.In = "payload"
	case "HTTPQuery":
		m.In, m.Wire = "query", element(lit, "Name")
	case "HTTPHeader":
		m.In, m.Wire = "header", element(lit, "Name")
	}
}

// trait returns the name and the literal of &smithytraits.NAME{…}.
func trait(e ast.Expr) (string, *ast.CompositeLit) {
	u, ok := e.(*ast.UnaryExpr)
	if !ok {
		return "", nil
	}
	lit, ok := u.X.(*ast.CompositeLit)
	if !ok {
		return "", nil
	}
	sel, ok := lit.Type.(*ast.SelectorExpr)
	if !ok {
		return "", nil
	}
	return sel.Sel.Name, lit
}

// element returns the string that a composite literal has under a key.
func element(lit *ast.CompositeLit, key string) string {
	for _, e := range lit.Elts {
		kv, ok := e.(*ast.KeyValueExpr)
		if ok && kv.Key.(*ast.Ident).Name == key {
			return literal(kv.Value)
		}
	}
	return ""
}
