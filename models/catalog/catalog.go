// Package catalog is the foundation models: directories in Hugging Face layout, each with an
// outcrop.json that says under which ids it is served.
//
//	DATA/foundation-models/
//	├─ outcrop.pebble-v1/   the embedded model, written at start
//	│  ├─ outcrop.json      {"models":[{"id":"outcrop.pebble-v1", "aliases":[…], …}, …]}
//	│  ├─ config.json  tokenizer.json  model.safetensors …
//	├─ acme.notes-v1/       whatever `outcrop models add` and `pull` have put there
//	└─ aliases.json         {"ALIAS":"ID"}: what `outcrop models alias` has given
//
// It knows no API and trains nothing.
package catalog

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/models/catalog/pebble"
)

// Dir is the name of the catalog's directory in a data directory.
const Dir = "foundation-models"

// Catalog is the models of one data directory. It is safe for concurrent use, and sees what
// is put into or taken out of the directory while it runs.
type Catalog struct {
	dir      string
	dialects []string // that there are; nil: any

	mu       sync.Mutex
	seen     []stamp // of the last scan
	models   []outcrop.FoundationModel
	byName   map[string]int // id or alias → index in models
	problems []error
}

// stamp is by what a change of one directory is noticed.
type stamp struct {
	name     string
	modified int64 // of its entry file, or of the alias file, in nanoseconds
	size     int64
}

// Open opens the catalog of a data directory, after writing the embedded model there if it is
// not there as it should be. Only one process may do so at a time. If dialects are given, models
// of another are not served.
func Open(dataDir string, dialects ...string) (*Catalog, error) {
	return open(dataDir, pebble.Files(), dialects...)
}

// Read returns the catalog of a data directory as it is, and writes nothing. It fails if there
// is none yet.
func Read(dataDir string) (*Catalog, error) {
	c := &Catalog{dir: filepath.Join(dataDir, Dir)}
	return c, c.refresh()
}

func open(dataDir string, files map[string][]byte, dialects ...string) (*Catalog, error) {
	c := &Catalog{dir: filepath.Join(dataDir, Dir), dialects: dialects}
	files, err := embedded(files)
	if err != nil {
		return nil, err
	}
	if err := extract(filepath.Join(c.dir, PebbleID), files); err != nil {
		return nil, fmt.Errorf("write the embedded model: %w", err)
	}
	if err := tidy(c.dir); err != nil {
		return nil, err
	}
	return c, c.refresh()
}

// Lookup returns the model that an id, an alias, or either of them with a version or context
// suffix (amazon.titan-text-express-v1:0:8k) or as an ARN names.
func (c *Catalog) Lookup(id string) (outcrop.FoundationModel, bool) {
	if p, ok := outcrop.ParseARN(id); ok && p.Kind == outcrop.KindFoundationModel {
		id = p.Resource
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refresh() // what cannot be read now is told by Problems
	for name := range Spellings(id) {
		if i, ok := c.byName[name]; ok {
			return c.models[i], true
		}
	}
	return outcrop.FoundationModel{}, false
}

// Spellings returns the names by which Lookup looks for an id, in turn: itself, and without one
// suffix after another.
func Spellings(id string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for yield(id) {
			shorter := suffix.ReplaceAllString(id, "")
			if shorter == id {
				return
			}
			id = shorter
		}
	}
}

// suffix is a version or a context length at the end of an id.
var suffix = regexp.MustCompile(`:(\d+|\d+k)$`)

// List returns all models, ordered by id.
func (c *Catalog) List() []outcrop.FoundationModel {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refresh()
	return slices.Clone(c.models)
}

// Problems returns why directories of the catalog are not served; nil if all are.
func (c *Catalog) Problems() []error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.refresh(); err != nil {
		return []error{err}
	}
	return slices.Clone(c.problems)
}

// refresh reads the directories again if any has changed.
func (c *Catalog) refresh() error {
	now, err := stamps(c.dir)
	if err != nil {
		return fmt.Errorf("read the catalog: %w", err)
	}
	if c.byName != nil && slices.Equal(now, c.seen) {
		return nil
	}
	c.seen, c.models, c.byName, c.problems = now, nil, map[string]int{}, nil
	taken := map[string]string{} // id or alias → directory
	for _, s := range now {
		if s.name == AliasFile {
			continue // after the models that they name
		}
		models, err := readEntries(filepath.Join(c.dir, s.name), c.dialects)
		if err != nil {
			c.problems = append(c.problems, problem(s.name, err))
		}
		for _, m := range models {
			c.admit(m, s.name, taken)
		}
	}
	c.admitAliases(taken)
	slices.SortFunc(c.models, func(a, b outcrop.FoundationModel) int { return cmp.Compare(a.ID, b.ID) })
	for i, m := range c.models {
		c.byName[m.ID] = i
		for _, alias := range m.Aliases {
			c.byName[alias] = i
		}
	}
	return nil
}

// admit adds a model, without the names that another has already.
func (c *Catalog) admit(m outcrop.FoundationModel, dir string, taken map[string]string) {
	free := func(name string) bool {
		if other, ok := taken[name]; ok {
			c.problems = append(c.problems, fmt.Errorf("%s of %s is not served: %s has that name", name, dir, other))
			return false
		}
		taken[name] = dir
		return true
	}
	if !free(m.ID) {
		return
	}
	if n := len(c.models); n > 0 && c.models[n-1].Dir == m.Dir { // models of one directory come one after the other
		m.FilesID = c.models[n-1].FilesID
	}
	m.Aliases = slices.DeleteFunc(slices.Clone(m.Aliases), func(alias string) bool { return !free(alias) })
	c.models = append(c.models, m)
}

// admitAliases adds the aliases of the alias file to the models that they name.
func (c *Catalog) admitAliases(taken map[string]string) {
	aliases, err := readAliases(c.dir)
	if err != nil {
		c.problems = append(c.problems, err)
		return
	}
	for _, alias := range slices.Sorted(maps.Keys(aliases)) {
		i := slices.IndexFunc(c.models, func(m outcrop.FoundationModel) bool { return m.ID == aliases[alias] })
		switch other, is := taken[alias]; {
		case i < 0:
			c.problems = append(c.problems, fmt.Errorf("%s: %s is not served: there is no model %s", AliasFile, alias, aliases[alias]))
		case is:
			c.problems = append(c.problems, fmt.Errorf("%s: %s is not served: %s has that name", AliasFile, alias, other))
		default:
			taken[alias] = filepath.Base(c.models[i].Dir)
			c.models[i].Aliases = append(slices.Clone(c.models[i].Aliases), alias)
		}
	}
}

func problem(name string, err error) error {
	return fmt.Errorf("%s is not served: %w", name, err)
}

func order(name string) int {
	if name == PebbleID {
		return 0
	}
	return 1
}

// stamps lists the model directories that have an entry file, the embedded model's first, and
// the alias file.
func stamps(dir string) ([]stamp, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var all []stamp
	for _, e := range entries {
		file := filepath.Join(dir, e.Name(), EntryFile)
		switch {
		case e.Name() == AliasFile:
			file = filepath.Join(dir, AliasFile)
		case !e.IsDir() || e.Name()[:1] == hidden:
			continue
		}
		info, err := os.Stat(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, stamp{e.Name(), info.ModTime().UnixNano(), info.Size()})
	}
	slices.SortStableFunc(all, func(a, b stamp) int { // the embedded model comes first: no other may take its names
		return cmp.Compare(order(a.name), order(b.name))
	})
	return all, nil
}
