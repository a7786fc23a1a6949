// Package arch keeps ARCHITECTURE.md true: its table says what the packages below a folder may
// import, and is compared with the imports in the source files. It also holds what a folder list
// says at a glance: how many doors the house has, that no imports go in a circle.
//
// It parses the files itself rather than asking "go list": the go command caches test
// results and notices only files that the test process opens.
package arch

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

const module = "outcrop.dev/outcrop"

// standardLibrary stands for every package of Go's own: any room may use them.
const standardLibrary = "std"

func TestImportsMatchArchitecture(t *testing.T) {
	t.Parallel()
	for _, problem := range check(t, os.DirFS("../..")) {
		t.Error(problem)
	}
}

// The comparer itself: a forbidden import, a package without a rule and a stale rule are found; the
// longest prefix is a package's rule.
func TestCheckFindsViolations(t *testing.T) {
	t.Parallel()
	table := "| below | may import |\n|---|---|\n| `/` | |\n| `a`, `d` | `/`, `a` |\n| `a/deep` | `b` |\n| `b` | `github.com/x/y` |\n| `gone` | |\n\nOther text."
	repo := fstest.MapFS{
		"ARCHITECTURE.md": {Data: []byte(table)},
		"root.go":         {Data: []byte("package outcrop\nimport _ \"strings\"\n")},
		"a/a.go":          {Data: []byte("package a\nimport _ \"outcrop.dev/outcrop\"\nimport _ \"outcrop.dev/outcrop/b\"\n")},
		"a/in/a.go":       {Data: []byte("package in\nimport _ \"outcrop.dev/outcrop/a\"\nimport _ \"outcrop.dev/outcrop/b\"\n")},
		"a/deep/in/a.go":  {Data: []byte("package in\nimport _ \"outcrop.dev/outcrop/a\"\nimport _ \"outcrop.dev/outcrop/b\"\n")},
		"ab/ab.go":        {Data: []byte("package ab\n")},
		"d/d.go":          {Data: []byte("package d\nimport _ \"outcrop.dev/outcrop/a/in\"\n")},
		"a/a_test.go":     {Data: []byte("package a\nimport _ \"outcrop.dev/outcrop/b\"\n")},
		"b/b.go":          {Data: []byte("package b\nimport _ \"github.com/x/y/z\"\nimport _ \"github.com/other/z\"\n")},
		"c/c.go":          {Data: []byte("package c\n")},
		"a/testdata/x.go": {Data: []byte("package x\nimport _ \"outcrop.dev/outcrop/b\"\n")},
	}
	want := []string{
		"a/a.go: a must not import b",
		"a/in/a.go: a/in must not import b",
		"a/deep/in/a.go: a/deep/in must not import a",
		"ab/ab.go: package ab has no rule in ARCHITECTURE.md",
		"b/b.go: b must not import github.com/other/z",
		"c/c.go: package c has no rule in ARCHITECTURE.md",
		"ARCHITECTURE.md has a rule for gone, below which there is nothing",
	}
	got := check(t, repo)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

// check returns what in repo the table of ARCHITECTURE.md does not allow.
func check(t *testing.T, repo fs.FS) (problems []string) {
	t.Helper()
	rules := table(t, repo)
	used := map[string]bool{}
	for _, file := range sources(t, repo) {
		pkg := inModule(path.Join(module, path.Dir(file)))
		rule := ruleOf(rules, pkg)
		if rule == "" {
			problems = append(problems, file+": package "+pkg+" has no rule in ARCHITECTURE.md")
			continue
		}
		used[rule] = true
		for _, imp := range imports(t, repo, file) {
			if !allows(rules[rule], imp) {
				problems = append(problems, file+": "+pkg+" must not import "+imp)
			}
		}
	}
	for rule := range rules {
		if !used[rule] {
			problems = append(problems, "ARCHITECTURE.md has a rule for "+rule+", below which there is nothing")
		}
	}
	return problems
}

// ruleOf returns the longest prefix that a package lies below, "" if there is none.
func ruleOf(rules map[string][]string, pkg string) (longest string) {
	for rule := range rules {
		if below(rule, pkg) && len(rule) > len(longest) {
			longest = rule
		}
	}
	return longest
}

// below reports whether pkg is prefix or lies in a folder below it. Below "/" is the root package
// alone.
func below(prefix, pkg string) bool {
	return pkg == prefix || prefix != "/" && strings.HasPrefix(pkg, prefix+"/")
}

// sources lists the Go files that are built into the product.
func sources(t *testing.T, repo fs.FS) (files []string) {
	t.Helper()
	err := fs.WalkDir(repo, ".", func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && skipDir(file):
			return fs.SkipDir
		case strings.HasSuffix(file, ".go") && !strings.HasSuffix(file, "_test.go"):
			files = append(files, file)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// skipDir names what is no package of the product: fixtures, hidden folders, dependencies of scripts.
func skipDir(dir string) bool {
	base := path.Base(dir)
	return base == "testdata" || base == "node_modules" || (len(base) > 1 && base[0] == '.')
}

// table reads the rows "| `prefix`, `prefix` | `import`, `import` |". The root package is written
// "/"; what is named as an import allows everything below it.
func table(t *testing.T, repo fs.FS) map[string][]string {
	t.Helper()
	doc, err := fs.ReadFile(repo, "ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rows, _ := strings.Cut(string(doc), "| below | may import |\n")
	rows, _, _ = strings.Cut(rows, "\n\n")
	name := regexp.MustCompile("`([^`]+)`")
	rules := map[string][]string{}
	for row := range strings.Lines(rows) {
		cells := strings.Split(row, "|")
		if len(cells) != 4 {
			t.Fatalf("a row of ARCHITECTURE.md has another form: %q", row)
		}
		for _, prefix := range name.FindAllStringSubmatch(cells[1], -1) {
			rules[prefix[1]] = []string{}
			for _, imp := range name.FindAllStringSubmatch(cells[2], -1) {
				rules[prefix[1]] = append(rules[prefix[1]], imp[1])
			}
		}
	}
	return rules
}

// imports returns what file imports beyond the standard library, our own packages relative
// to the module.
func imports(t *testing.T, repo fs.FS, file string) (out []string) {
	t.Helper()
	src, err := fs.ReadFile(repo, file)
	if err != nil {
		t.Fatal(err)
	}
	f, err := parser.ParseFile(token.NewFileSet(), file, src, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	for _, spec := range f.Imports {
		imp, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		if imp = inModule(imp); imp != standardLibrary {
			out = append(out, imp)
		}
	}
	return out
}

// inModule returns imp relative to this module, "/" for its root, standardLibrary for a
// package of Go's own, and imp itself for anything else.
func inModule(imp string) string {
	if imp == module {
		return "/"
	}
	if r, ok := strings.CutPrefix(imp, module+"/"); ok {
		return r
	}
	if first, _, _ := strings.Cut(imp, "/"); !strings.Contains(first, ".") {
		return standardLibrary
	}
	return imp
}

// allows reports whether imp lies below one of may.
func allows(may []string, imp string) bool {
	return slices.ContainsFunc(may, func(m string) bool { return below(m, imp) })
}
