package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// services are the ones whose api_gen.go this command writes.
var services = map[string]func() (*service, error){"bedrock": bedrock, "bedrockruntime": func() (*service, error) { return load("../..", "bedrockruntime") }}

// bedrock is loaded once: its sources are long.
var bedrock = sync.OnceValues(func() (*service, error) { return load("../..", "bedrock") })

func TestGeneratedFilesAreCurrent(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	for name, load := range services {
		s, err := load()
		if err != nil {
			t.Fatal(err)
		}
		want, err := s.generate()
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(target(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is stale: run go run ./internal/awsgen %s", target("", name), name)
		}
	}
}

func TestModel(t *testing.T) {
	t.Parallel()
	s, err := bedrock()
	if err != nil {
		t.Fatal(err)
	}
	if n := len(s.Operations); n < 100 {
		t.Errorf("%d operations", n)
	}
	o := s.operation("ListModelCopyJobs")
	if o.Method != "GET" || o.Path != "/model-copy-jobs" || strings.Join(o.Errors, " ") !=
		"AccessDeniedException InternalServerException ResourceNotFoundException ThrottlingException ValidationException" {
		t.Errorf("%+v", o)
	}
	m := s.Structs["ListModelCopyJobsInput"].member("outputModelNameContains")
	if m == nil || m.GoName != "TargetModelNameContains" || m.In != "query" {
		t.Errorf("%+v", m)
	}
	create := s.Structs["CreateModelCustomizationJobInput"]
	if m := create.member("roleArn"); !m.Required || m.Type.Limits.Bounds != "0..2048" {
		t.Errorf("%+v", m)
	}
	if m := create.member("customizationType"); m.Required || m.Type.Enum != "CustomizationType" {
		t.Errorf("%+v", m)
	}
	if u := s.Structs["CustomizationConfig"]; !u.Union || len(u.Members) != 2 {
		t.Errorf("%+v", u)
	}
}

func TestFactsAreChecked(t *testing.T) {
	t.Parallel()
	for facts, want := range map[string]string{
		"op NoSuch 200":                                  "line 1: op [NoSuch 200]: want an operation",
		"op GetThing":                                    "line 1: op [GetThing]: want an operation",
		"NoSuchInput":                                    "line 1: the SDK has no struct NoSuchInput",
		"\tname 1..2":                                    "line 1: the member name comes before any struct",
		"GetThingInput\n\tnone 1..2":                     "line 2: GetThingInput has no member none",
		"GetThingInput\n\tname [1..2":                    `line 2: GetThingInput.name: cannot read "[1..2"`,
		"GetThingInput\n\tname ~None":                    "GetThingInput.Name names an unknown pattern None",
		"or None x":                                      "or names an unknown pattern None",
		"extra GetThingInput x":                          "line 1: extra [GetThingInput x]: want",
		"pattern P x\nbody many":                         "line 2: strconv.ParseInt",
		"iam GetThing x:GetThing":                        "line 1: iam [GetThing x:GetThing]: want an operation, an action and a resource",
		"iam NoSuch x:NoSuch *":                          "line 1: iam [NoSuch x:NoSuch *]: want an operation",
		"iam GetThing x:GetThing any":                    `GetThing needs a line iam with its action and its resource, and has the action "x:GetThing" on "any"`,
		"iam GetThing x:G thing/{tag}":                   "GetThing has no text tag that could name its resource",
		"iam GetThing x:G thing/{id}":                    "",
		"op GetThing 201\niam GetThing x:G thing/{id}":   "GetThing has no text id that could name its resource",
		"op GetThing 201\niam GetThing x:G thing/{list}": "GetThing has no text list that could name its resource",
		"op GetThing 201\niam GetThing x:G {name}":       "",
		"# fine\n\nop GetThing 201\n":                    "",
		"GetThingInput\n\tname 1..2\n":                   "",
	} {
		s := &service{
			Operations: []*operation{{Name: "GetThing", Path: "/things/{id+}", Action: "x:GetThing", Resource: "*"}}, Patterns: map[string]string{}, Also: map[string]string{},
			Structs: map[string]*structure{"GetThingInput": {Name: "GetThingInput",
				Members: []*member{{GoName: "Name", Wire: "name", In: "json", Type: &shape{Kind: "string"}}, {GoName: "List", Wire: "list", Type: &shape{Kind: "list"}}}}},
		}
		err := s.addFacts(facts)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", facts, err, want)
		}
	}
}

// An operation that does not say what it needs of IAM is not generated.
func TestEveryOperationNeedsAPermission(t *testing.T) {
	t.Parallel()
	for _, o := range []*operation{{Name: "GetThing"}, {Name: "GetThing", Action: "x:GetThing"}, {Name: "GetThing", Resource: "*"}} {
		s := &service{Operations: []*operation{o}}
		if err := s.addFacts(""); err == nil || !strings.Contains(err.Error(), "GetThing needs a line iam") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
