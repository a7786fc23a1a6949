package arch

import (
	"bytes"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
)

// What the house may grow to before it is thought over again.
const (
	doorsMax     = 15  // folders at the top
	rootFilesMax = 14  // files of the root package, tests left out
	docLinesMax  = 100 // of ARCHITECTURE.md
)

// TestHouse: a newcomer takes in the folder list, the root package and ARCHITECTURE.md at a glance.
func TestHouse(t *testing.T) {
	t.Parallel()
	repo := os.DirFS("../..")
	doors, files := map[string]bool{}, 0
	for _, file := range sources(t, repo) {
		if door, _, deep := strings.Cut(file, "/"); deep {
			doors[door] = true
		} else {
			files++
		}
	}
	if len(doors) > doorsMax {
		t.Errorf("%d folders with Go files at the top, more than %d", len(doors), doorsMax)
	}
	if files > rootFilesMax {
		t.Errorf("%d files in the root package, more than %d", files, rootFilesMax)
	}
	doc, err := fs.ReadFile(repo, "ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(doc, []byte("\n")); n > docLinesMax {
		t.Errorf("ARCHITECTURE.md has %d lines, more than %d", n, docLinesMax)
	}
}

// TestNoCircles: among the folders at the top imports lead downwards. Go refuses circles of packages
// alone. What tests need of the house (internal, tools, e2e) is no floor of it.
func TestNoCircles(t *testing.T) {
	t.Parallel()
	repo := os.DirFS("../..")
	arrows := map[string]map[string]bool{}
	for _, file := range sources(t, repo) {
		from := floor(inModule(path.Join(module, path.Dir(file))))
		for _, imp := range imports(t, repo, file) {
			if to := floor(imp); from != to && from != "" && to != "" {
				if arrows[from] == nil {
					arrows[from] = map[string]bool{}
				}
				arrows[from][to] = true
			}
		}
	}
	for from := range arrows {
		if circle := walk(arrows, []string{from}); circle != nil {
			t.Errorf("a circle of folders: %s", strings.Join(circle, " → "))
		}
	}
	planted := map[string]map[string]bool{"a": {"b": true}, "b": {"c": true}, "c": {"a": true}}
	if got := walk(planted, []string{"a"}); !slices.Equal(got, []string{"a", "b", "c", "a"}) {
		t.Errorf("a circle that was planted is seen as %v", got)
	}
}

// floor is the folder at the top that a package lies below, "" for what is none of the house.
func floor(pkg string) string {
	top, _, _ := strings.Cut(strings.TrimPrefix(pkg, "/"), "/")
	if strings.Contains(top, ".") || slices.Contains([]string{"internal", "tools", "e2e"}, top) {
		return ""
	}
	if top == "" {
		return "/"
	}
	return top
}

// walk returns the rest of a way that comes back to its beginning, nil if there is none.
func walk(arrows map[string]map[string]bool, way []string) []string {
	for to := range arrows[way[len(way)-1]] {
		if to == way[0] {
			return append(way, to)
		}
		if !slices.Contains(way, to) {
			if found := walk(arrows, append(slices.Clone(way), to)); found != nil {
				return found
			}
		}
	}
	return nil
}
