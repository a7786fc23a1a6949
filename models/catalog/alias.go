package catalog

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/internal/durable"
)

// AliasFile is the name of the file, beside the models' directories, with the aliases that
// commands have given: {"ALIAS": "ID"}. Those of an EntryFile are the model's own.
const AliasFile = "aliases.json"

// AddAliases gives a model other ids, and returns it. It may be called while a server runs.
// CodeNotFound if there is no such model, CodeConflict if an alias is taken, CodeValidation if
// it cannot be an id.
func AddAliases(dataDir, id string, aliases []string) (outcrop.FoundationModel, error) {
	return changeAliases(dataDir, func(c *Catalog, all map[string]string) (string, error) {
		m, err := c.find(id)
		if err != nil {
			return "", err
		}
		for _, alias := range aliases {
			if slices.Contains(m.Aliases, alias) {
				continue
			}
			if err := c.checkFree(alias); err != nil {
				return "", err
			}
			all[alias] = m.ID
		}
		return m.ID, nil
	})
}

// RemoveAliases takes aliases away from the models that have them by AddAliases or Add, and
// returns the last one's model. inUse returns what was made by an alias: it names its base model by
// it, and would not find it any more, nor would Remove know that it needs it. CodeConflict if there
// is anything, CodeValidation for those that come with the program.
func RemoveAliases(dataDir string, aliases []string, inUse func(alias string) ([]string, error)) (outcrop.FoundationModel, error) {
	return changeAliases(dataDir, func(c *Catalog, all map[string]string) (id string, err error) {
		for _, alias := range aliases { // all of them, before any goes
			if err := c.checkAlias(alias, all, inUse); err != nil {
				return "", err
			}
		}
		for _, alias := range aliases {
			m, err := c.find(alias)
			if err != nil { // it was named twice
				continue
			}
			if id = m.ID; all[alias] == m.ID {
				delete(all, alias)
			} else if err := dropAlias(m.Dir, alias); err != nil {
				return "", err
			}
		}
		return id, nil
	})
}

// checkAlias says why an alias cannot be taken away.
func (c *Catalog) checkAlias(alias string, all map[string]string, inUse func(string) ([]string, error)) error {
	m, err := c.find(alias)
	switch {
	case err != nil:
		return err
	case m.ID == alias:
		return outcrop.Errorf(outcrop.CodeValidation, "%s is a model of its own, not an alias: `outcrop models remove` removes models.", alias)
	case !slices.Contains(m.Aliases, alias): // found by an ARN, or without its version
		return outcrop.Errorf(outcrop.CodeNotFound, "%s is no alias: %s has %s.", alias, m.ID, cmp.Or(strings.Join(m.Aliases, ", "), "none"))
	case all[alias] != m.ID && filepath.Base(m.Dir) == PebbleID:
		return outcrop.Errorf(outcrop.CodeValidation, "The alias %s of %s comes with the program and cannot be removed.", alias, m.ID)
	}
	users, err := inUse(alias)
	if err == nil && len(users) > 0 {
		err = outcrop.Errorf(outcrop.CodeConflict, "The alias %s of %s cannot be removed while it is needed by %s.", alias, m.ID, strings.Join(users, ", "))
	}
	return err
}

// dropAlias takes an alias out of the entry file of a directory.
func dropAlias(dir, alias string) error {
	f, err := readEntryFile(dir)
	if err != nil {
		return err
	}
	for i := range f.Models {
		f.Models[i].Aliases = slices.DeleteFunc(f.Models[i].Aliases, func(a string) bool { return a == alias })
	}
	return writeEntries(dir, f)
}

// changeAliases changes the alias file under the lock, and returns the model that change names.
func changeAliases(dataDir string, change func(c *Catalog, all map[string]string) (id string, err error)) (outcrop.FoundationModel, error) {
	c, unlock, err := edit(dataDir)
	if err != nil {
		return outcrop.FoundationModel{}, err
	}
	defer unlock()
	all, err := readAliases(c.dir)
	if err != nil {
		return outcrop.FoundationModel{}, err
	}
	id, err := change(c, all)
	if err != nil {
		return outcrop.FoundationModel{}, err
	}
	if err := writeAliases(c.dir, all); err != nil {
		return outcrop.FoundationModel{}, err
	}
	return c.find(id)
}

// find is Lookup with an error for a person.
func (c *Catalog) find(id string) (outcrop.FoundationModel, error) {
	m, ok := c.Lookup(id)
	if !ok {
		return m, outcrop.Errorf(outcrop.CodeNotFound, "There is no model %s: `outcrop models list` shows those that there are.", id)
	}
	return m, nil
}

// readAliases reads the alias file; none is an empty one.
func readAliases(dir string) (map[string]string, error) {
	all := map[string]string{}
	b, err := os.ReadFile(filepath.Join(dir, AliasFile))
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err != nil {
		return nil, err
	}
	if len(b) > entryBytesMax {
		return nil, fmt.Errorf("%s is longer than %d bytes", AliasFile, entryBytesMax)
	}
	if err := json.Unmarshal(b, &all); err != nil {
		return nil, fmt.Errorf("%s: %w", AliasFile, err)
	}
	return all, nil
}

func writeAliases(dir string, all map[string]string) error {
	b, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	if len(b) >= entryBytesMax {
		return outcrop.Errorf(outcrop.CodeQuotaExceeded, "The aliases take more than %d bytes: remove some.", entryBytesMax)
	}
	return durable.WriteBytes(filepath.Join(dir, AliasFile), 0o644, append(b, '\n'))
}
