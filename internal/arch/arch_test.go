// Package arch keeps ARCHITECTURE.md true: the table of packages and the imports each may
// have is compared with the imports in the source files.
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

// The comparer itself: a forbidden import, an unlisted package and a stale row are found.
func TestCheckFindsViolations(t *testing.T) {
	t.Parallel()
	table := "| package | may import |\n|---|---|\n| `/` | |\n| `a` | `/` |\n| `b` | `github.com/x/y` |\n| `gone` | |\n"
	repo := fstest.MapFS{
		"ARCHITECTURE.md": {Data: []byte(table)},
		"root.go":         {Data: []byte("package outcrop\nimport _ \"strings\"\n")},
		"a/a.go":          {Data: []byte("package a\nimport _ \"outcrop.dev/outcrop\"\nimport _ \"outcrop.dev/outcrop/b\"\n")},
		"a/a_test.go":     {Data: []byte("package a\nimport _ \"outcrop.dev/outcrop/b\"\n")},
		"b/b.go":          {Data: []byte("package b\nimport _ \"github.com/x/y/z\"\nimport _ \"github.com/other/z\"\n")},
		"c/c.go":          {Data: []byte("package c\n")},
		"a/testdata/x.go": {Data: []byte("package x\nimport _ \"outcrop.dev/outcrop/b\"\n")},
	}
	want := []string{
		"a/a.go: a must not import b",
		"b/b.go: b must not import github.com/other/z",
		"c/c.go: package c is not in ARCHITECTURE.md",
		"ARCHITECTURE.md lists gone, which does not exist",
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
	allowed := table(t, repo)
	seen := map[string]bool{}
	for _, file := range sources(t, repo) {
		pkg := inModule(path.Join(module, path.Dir(file)))
		may, listed := allowed[pkg]
		if !listed && !seen[pkg] {
			problems = append(problems, file+": package "+pkg+" is not in ARCHITECTURE.md")
		}
		seen[pkg] = true
		for _, imp := range imports(t, repo, file) {
			if listed && !allows(may, imp) {
				problems = append(problems, file+": "+pkg+" must not import "+imp)
			}
		}
	}
	for pkg := range allowed {
		if !seen[pkg] {
			problems = append(problems, "ARCHITECTURE.md lists "+pkg+", which does not exist")
		}
	}
	return problems
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

// table reads the rows "| `pkg` | `import`, `import` |". The root package is written "/";
// "x/..." allows everything below x, and a library everything inside it.
func table(t *testing.T, repo fs.FS) map[string][]string {
	t.Helper()
	doc, err := fs.ReadFile(repo, "ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile("(?m)^\\| `([^`]+)` \\|(.*)\\|$")
	name := regexp.MustCompile("`([^`]+)`")
	m := map[string][]string{}
	for _, r := range row.FindAllStringSubmatch(string(doc), -1) {
		m[r[1]] = nil
		for _, n := range name.FindAllStringSubmatch(r[2], -1) {
			m[r[1]] = append(m[r[1]], n[1])
		}
	}
	return m
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

// allows reports whether imp is one of may.
func allows(may []string, imp string) bool {
	return slices.ContainsFunc(may, func(m string) bool {
		prefix, tree := strings.CutSuffix(m, "/...")
		library := strings.Contains(m, ".")
		return imp == m || ((tree || library) && strings.HasPrefix(imp, prefix+"/"))
	})
}
