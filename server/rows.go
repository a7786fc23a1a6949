package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/catalog"
	"outcrop.dev/outcrop/store"
)

// ModelUsers returns what in a data directory needs a base model, in any account and region:
// jobs that have not ended, custom models that were made from it, throughput that serves it;
// each in a few words. ids are the model's id and aliases; what names it in another spelling, with a
// suffix, needs it too. A server may run there.
func ModelUsers(ctx context.Context, dataDir string, ids []string, clock func() time.Time) (users []string, err error) {
	rows, err := openRows(ctx, dataDir, clock)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // no server has ever run
	}
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	models, noCatalog := catalog.Read(dataDir)
	another := func(name string) bool {
		if noCatalog != nil {
			return false
		}
		m, ok := models.Lookup(name)
		return ok && (m.ID == name || slices.Contains(m.Aliases, name))
	}
	means := func(id string) bool {
		for name := range catalog.Spellings(id) {
			if slices.Contains(ids, name) {
				return true
			}
			if another(name) {
				return false
			}
		}
		return false
	}
	is := func(arn outcrop.ARN) bool {
		p, ok := outcrop.ParseARN(string(arn))
		return ok && p.Kind == outcrop.KindFoundationModel && means(p.Resource)
	}
	for _, kind := range []struct {
		kind outcrop.Kind
		use  func(outcrop.Record) (string, error)
	}{
		{outcrop.KindJob, func(r outcrop.Record) (string, error) {
			j, err := outcrop.JobOf(r)
			if err != nil || j.Terminal() || !is(j.BaseModelARN) && !means(j.BaseModelID) {
				return "", err
			}
			return "the job " + j.Name, nil
		}},
		{outcrop.KindCustomModel, func(r outcrop.Record) (string, error) {
			m, err := outcrop.CustomModelOf(r)
			if err != nil || !is(m.BaseModelARN) && !means(m.BaseModelID) {
				return "", err
			}
			return "the custom model " + m.Name, nil
		}},
		{outcrop.KindThroughput, func(r outcrop.Record) (string, error) {
			t, err := outcrop.ThroughputOf(r)
			if err != nil || !is(t.ModelARN) && !is(t.DesiredModelARN) {
				return "", err
			}
			return "the throughput " + t.Name, nil
		}},
	} {
		found, err := collect(ctx, rows, kind.kind, kind.use)
		if err != nil {
			return nil, err
		}
		users = append(users, found...)
	}
	return users, nil
}

// CustomModel finds a custom model of a data directory, in any account and region, by its
// ARN, id or name, and the directory with its files. A server may run there. CodeNotFound if
// there is none, CodeValidation if several have the name.
func CustomModel(ctx context.Context, dataDir, ref string, clock func() time.Time) (m *outcrop.CustomModel, dir string, err error) {
	none := outcrop.Errorf(outcrop.CodeNotFound, "There is no custom model %s in %s.", ref, dataDir)
	rows, err := openRows(ctx, dataDir, clock)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", none
	}
	if err != nil {
		return nil, "", err
	}
	defer rows.Close()
	found, err := collect(ctx, rows, outcrop.KindCustomModel, func(r outcrop.Record) (string, error) {
		if string(r.ARN) != ref && r.ID != ref && r.Name != ref {
			return "", nil
		}
		m, err = outcrop.CustomModelOf(r)
		return string(r.ARN), err
	})
	switch {
	case err != nil:
		return nil, "", err
	case len(found) == 0:
		return nil, "", none
	case len(found) > 1:
		return nil, "", outcrop.Errorf(outcrop.CodeValidation, "%s is the name of several custom models: give the ARN, one of %s.", ref, strings.Join(found, ", "))
	}
	return m, filepath.Join(dataDir, modelsDir, m.ID), nil
}

// openRows opens the database of a data directory, beside a server that may run there;
// fs.ErrNotExist if there is none.
func openRows(ctx context.Context, dataDir string, clock func() time.Time) (*store.Store, error) {
	path := filepath.Join(dataDir, databaseFile)
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	rows, err := store.Open(ctx, path, clock)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	return rows, nil
}

// collect returns what use says of the records of a kind, but for "".
func collect(ctx context.Context, rows outcrop.Store, kind outcrop.Kind, use func(outcrop.Record) (string, error)) (found []string, err error) {
	for rec, err := range outcrop.All(ctx, rows.List, outcrop.Query{Kind: kind, AllScopes: true}) {
		if err != nil {
			return nil, err
		}
		what, err := use(rec)
		if err != nil {
			return nil, err
		}
		if what != "" {
			found = append(found, what)
		}
	}
	return found, nil
}
