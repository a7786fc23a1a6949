package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/datacheck"
	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/format/tokenizer"
	"outcrop.dev/outcrop/models/catalog"
	"outcrop.dev/outcrop/models/catalog/pebble"
)

const dataCheckLong = `Check training data as a job would: every row, with the line and what to do for each mistake. The
first file is training data, the others are validation data for it. No server is needed. Exit code 3
says that a row is bad.`

func (a *app) dataCheckCommand() *cobra.Command {
	var base string
	c := &cobra.Command{
		Use:     "check TRAIN.jsonl [VALIDATION.jsonl…]",
		Short:   "Check every row of training data",
		Long:    dataCheckLong,
		Example: "  outcrop data check train.jsonl validation.jsonl",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.checkData(c.Context(), base, args)
		},
	}
	c.Flags().StringVar(&base, "base", defaultBaseModel, "base model whose tokens and context count: its id, or its directory")
	return c
}

func (a *app) checkData(ctx context.Context, base string, files []string) error {
	m, err := a.openBase(base)
	if err != nil {
		return err
	}
	defer m.close()
	var checker datacheck.Checker
	report, err := checker.Check(ctx, m.Dir, m.ContextLength, fileSource(files[0]), fileSources(files[1:]))
	if err != nil {
		return err
	}
	if a.output == outputJSON {
		a.printf("%s", report.JSON())
	} else if err := report.WriteText(a.out); err != nil {
		return err
	}
	switch n := report.ProblemCount(); n {
	case 0:
		return nil
	case 1:
		return &exitError{code: exitBadData, text: "1 error in the data"}
	default:
		return &exitError{code: exitBadData, text: fmt.Sprintf("%d errors in the data", n)}
	}
}

func fileSource(path string) datacheck.Source {
	return datacheck.Source{Name: path, Open: func(context.Context) (io.ReadCloser, error) { return os.Open(path) }}
}

func fileSources(paths []string) (sources []datacheck.Source) {
	for _, p := range paths {
		sources = append(sources, fileSource(p))
	}
	return sources
}

// baseModel is a model without a server: a directory with its tokenizer and configuration.
type baseModel struct {
	outcrop.FoundationModel
	close func()
}

// openBase finds a model: a directory, one of the data directory's catalog, or the embedded one,
// for which neither a server nor a data directory is needed.
func (a *app) openBase(base string) (baseModel, error) {
	if _, err := os.Stat(filepath.Join(base, model.ConfigFile)); err == nil {
		config, err := model.ReadConfig(base)
		m := outcrop.FoundationModel{Dir: base, ContextLength: config.Context, LearningRateScale: 1, Defaults: catalog.Defaults(config.Params())}
		return baseModel{m, func() {}}, err
	}
	if m, ok := catalog.Embedded(base); ok {
		return embeddedBase(m)
	}
	dir, err := a.dataDir()
	if err != nil {
		return baseModel{}, err
	}
	models, err := catalog.Read(dir)
	if err != nil {
		return baseModel{}, fmt.Errorf("look for the model %s: %w", base, err)
	}
	m, ok := models.Lookup(base)
	if !ok {
		return baseModel{}, outcrop.Errorf(outcrop.CodeNotFound, "There is no model %s in %s, nor a directory of that name.", base, dir)
	}
	return baseModel{m, func() {}}, nil
}

// embeddedBase writes the embedded tokenizer and configuration where a check can read them.
func embeddedBase(m outcrop.FoundationModel) (baseModel, error) {
	files := pebble.Files()
	config, err := model.ParseConfig(files[model.ConfigFile])
	if err != nil {
		return baseModel{}, fmt.Errorf("the embedded model: %w", err)
	}
	dir, err := os.MkdirTemp("", "outcrop-check-")
	if err != nil {
		return baseModel{}, err
	}
	for _, name := range []string{tokenizer.File, model.ConfigFile} {
		if err := os.WriteFile(filepath.Join(dir, name), files[name], 0o600); err != nil {
			return baseModel{}, errors.Join(err, os.RemoveAll(dir))
		}
	}
	m.Dir, m.ContextLength = dir, config.Context
	// What a temporary directory leaves behind is not worth an error.
	return baseModel{m, func() { _ = os.RemoveAll(dir) }}, nil
}
