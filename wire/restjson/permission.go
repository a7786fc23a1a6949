package restjson

import (
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"outcrop.dev/outcrop"
)

// permission is what the caller of an operation must be allowed: an action, and where its
// resource stands in a request.
type permission struct {
	action   string
	kind     outcrop.Kind // of a resource that is named by its id; "": only ARNs name it
	nameKind outcrop.Kind // of one whose name has no dot, if that is another
	member   string       // "": the action is on no resource in particular
	index    int          // of the member in the input's struct; -1: it is read from the path alone
}

// resourceForm is the form of Operation.Resource: kind or kinds, and member.
var resourceForm = regexp.MustCompile(`^(?:\*|(?:([a-z-]+)(?:\|([a-z-]+))?/)?\{(\w+)\})$`)

// permissionOf reads an operation's permission; in is nil if nobody reads its body. It panics if
// the operation has none, or if no request could name its resource.
func permissionOf(op Operation, in *schema) permission {
	form := resourceForm.FindStringSubmatch(op.Resource)
	if op.Action == "" || form == nil {
		panic(fmt.Sprintf("restjson: %s does not say what its caller must be allowed: action %q, resource %q", op.Name, op.Action, op.Resource))
	}
	p := permission{action: op.Action, kind: outcrop.Kind(form[1]), nameKind: outcrop.Kind(form[2]), member: form[3], index: -1}
	found := p.member == "" || in == nil && strings.Contains(op.Path, "{"+p.member+"}")
	if in != nil && !found {
		p.index, found = in.text(p.member)
	}
	if !found {
		panic(fmt.Sprintf("restjson: %s has no text %s that could name its resource", op.Name, p.member))
	}
	return p
}

// text returns the index in the Go struct of the member of this name, which is a string.
func (s *schema) text(name string) (index int, ok bool) {
	i := slices.IndexFunc(s.fields, func(f field) bool { return f.name == name && f.value.kind == kindString && !f.value.ptr })
	if i < 0 {
		return -1, false
	}
	return s.fields[i].index, true
}

// check asks whether the caller of a request, which v has been read from, is allowed it.
func (p *permission) check(req *http.Request, v any) error {
	caller, err := outcrop.CallerOf(req.Context())
	if err != nil {
		return err
	}
	named := req.PathValue(p.member)
	if p.index >= 0 {
		named = reflect.ValueOf(v).Elem().Field(p.index).String()
	}
	return outcrop.Authorize(req.Context(), p.action, p.resource(caller.Scope(), named))
}

// resource returns the ARN of what is named, in the caller's account and region if it is no ARN.
func (p *permission) resource(scope outcrop.Scope, named string) outcrop.ARN {
	switch {
	case named == "":
		return outcrop.Anything
	case p.kind == "" || strings.HasPrefix(named, "arn:"):
		return outcrop.ARN(named)
	case p.nameKind != "" && !strings.Contains(named, "."):
		return scope.ARN(p.nameKind, named)
	}
	return scope.ARN(p.kind, named)
}
