package catalog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/internal/durable"
)

// Remove takes a model out of the catalog and removes its files. It may be called while a
// server runs: what that server has in memory it goes on serving until nobody asks for it.
// inUse, which is asked before, and again when no new job can find the model, returns what
// still needs it; if anything does, it stays. CodeValidation for the models that come with the program and
// those whose directory serves others too, CodeNotFound if there is none.
func Remove(dataDir, id string, inUse func() ([]string, error)) error {
	c, unlock, err := edit(dataDir)
	if err != nil {
		return err
	}
	defer unlock()
	m, err := c.find(id)
	if err != nil {
		return err
	}
	if err := c.checkRemovable(m, id); err != nil {
		return err
	}
	if err := stays(m, inUse); err != nil {
		return err
	}
	// Without its entry nobody finds it any more, and its files are still there: whoever began
	// to use it in between has begun by now.
	entry := filepath.Join(m.Dir, EntryFile)
	if err := durable.Rename(entry, entry+removedSuffix); err != nil {
		return err
	}
	if err := stays(m, inUse); err != nil {
		return errors.Join(err, durable.Rename(entry+removedSuffix, entry))
	}
	if err := c.forgetAliases(m.ID); err != nil {
		return err
	}
	// A directory that is hidden is removed by the next start at the latest.
	aside := filepath.Join(c.dir, hidden+"removed-"+filepath.Base(m.Dir))
	if err := os.RemoveAll(aside); err != nil { // of an earlier model of that id, whose removal was cut off here
		return err
	}
	if err := durable.Rename(m.Dir, aside); err != nil {
		return err
	}
	if err := os.RemoveAll(aside); err != nil {
		return fmt.Errorf("the model is removed, its files are not: %w", err)
	}
	return durable.SyncDir(c.dir)
}

// removedSuffix is added to the name of the entry file of a model that is being removed.
const removedSuffix = ".removed"

// takeBack undoes a removal that was cut off before its end, if there is one in the directory of
// a model: nobody was told that it is gone.
func takeBack(dir string) error {
	entry := filepath.Join(dir, EntryFile)
	if _, err := os.Stat(entry + removedSuffix); err != nil {
		return nil
	}
	return durable.Rename(entry+removedSuffix, entry)
}

// stays returns an error that says what still needs the model.
func stays(m outcrop.FoundationModel, inUse func() ([]string, error)) error {
	users, err := inUse()
	if err == nil && len(users) > 0 {
		err = outcrop.Errorf(outcrop.CodeConflict, "The model %s cannot be removed while it is needed by %s.", m.ID, strings.Join(users, ", "))
	}
	return err
}

func (c *Catalog) checkRemovable(m outcrop.FoundationModel, id string) error {
	if filepath.Base(m.Dir) == PebbleID {
		return outcrop.Errorf(outcrop.CodeValidation, "The model %s comes with the program and cannot be removed.", m.ID)
	}
	if m.ID != id && !slices.Contains(m.Aliases, id) {
		return outcrop.Errorf(outcrop.CodeValidation, "%s means %s: give the id itself to remove the model.", id, m.ID)
	}
	if m.ID != id {
		return outcrop.Errorf(outcrop.CodeValidation, "%s is an alias of %s: `outcrop models alias --remove %s` removes the alias, `outcrop models remove %s` the model.", id, m.ID, id, m.ID)
	}
	for _, other := range c.List() {
		if other.Dir == m.Dir && other.ID != m.ID {
			return outcrop.Errorf(outcrop.CodeValidation, "The files of %s serve %s too: take it out of %s instead.", m.ID, other.ID, filepath.Join(m.Dir, EntryFile))
		}
	}
	return nil
}

// forgetAliases drops the aliases of a model that is gone, so that another may have them.
func (c *Catalog) forgetAliases(id string) error {
	all, err := readAliases(c.dir)
	if err != nil {
		return err
	}
	for alias, of := range all {
		if of == id {
			delete(all, alias)
		}
	}
	return writeAliases(c.dir, all)
}
