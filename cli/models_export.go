package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/model"
	"outcrop.dev/outcrop/format/gguf"
	"outcrop.dev/outcrop/internal/sums"
	"outcrop.dev/outcrop/models/export"
	"outcrop.dev/outcrop/server"
)

const modelsExportLong = `Write a model for other programs: a foundation model by its id, a custom model by its name, id or
ARN, or a directory in Hugging Face layout. No server is needed.

  safetensors  a directory for transformers, vLLM and the like; the adapter of a LoRA model is merged
  peft         the adapter of a LoRA model, for PEFT and vLLM
  gguf         one file for llama.cpp and what is built on it (Ollama, LM Studio); of the families
               `

// The values of --format.
const (
	formatSafetensors = "safetensors"
	formatPEFT        = "peft"
	formatGGUF        = "gguf"
)

// exportRequest is what the flags of the command say.
type exportRequest struct {
	model, format, to, typ, base string
}

func (a *app) modelsExportCommand() *cobra.Command {
	var r exportRequest
	c := &cobra.Command{
		Use:   "export MODEL --to PATH",
		Short: "Write a model as safetensors, PEFT adapter or GGUF",
		Long:  modelsExportLong + strings.Join(export.GGUFFamilies(), ", "),
		Example: `  outcrop models export notes --to notes/
  outcrop models export notes --format gguf --type q8_0 --to notes.gguf`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			r.model = args[0]
			return a.exportModel(c.Context(), &r)
		},
	}
	f := c.Flags()
	f.StringVar(&r.format, "format", formatSafetensors, "safetensors, peft or gguf")
	f.StringVar(&r.to, "to", "", "directory or file to write, which must not be there yet")
	f.StringVar(&r.typ, "type", "", "of a GGUF's matrices: f32, f16, bf16 or q8_0 (default: as they are)")
	f.StringVar(&r.base, "base", "", "`directory` of the base model of an adapter's directory")
	require(c, "to")
	return c
}

func (a *app) exportModel(ctx context.Context, r *exportRequest) error {
	if !slices.Contains([]string{formatSafetensors, formatPEFT, formatGGUF}, r.format) {
		return usagef("--format %q is not known: use safetensors, peft or gguf", r.format)
	}
	if r.to == "" { // a variable that is not set: an error now, not after the work
		return usagef("--to is empty: name what to write")
	}
	options := export.Options{}
	if r.typ != "" {
		t, ok := gguf.ParseType(r.typ)
		if !ok || r.format != formatGGUF {
			return usagef("--type is f32, f16, bf16 or q8_0, with --format gguf")
		}
		options.Type = &t
	}
	from, name, err := a.exportSource(ctx, r)
	if err != nil {
		return err
	}
	options.Name = name
	report, err := a.writeExport(ctx, r, from, options)
	if err != nil {
		return exportError(r, err)
	}
	if a.output == outputJSON {
		return a.printJSON(report)
	}
	a.printf("%s\n", report.Path)
	a.note("%d tensors, %s", report.Tensors, humanize.IBytes(uint64(report.Bytes)))
	for _, note := range report.Notes {
		a.note("Note: %s.", note)
	}
	return nil
}

// exportError is what a person reads: an error of package export is a sentence's part.
func exportError(r *exportRequest, err error) error {
	var ours *outcrop.Error
	if errors.As(err, &ours) || errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%s cannot be exported as %s: %w", r.model, r.format, err)
}

// exportSource finds the model: a directory, one of the catalog, or a custom one.
func (a *app) exportSource(ctx context.Context, r *exportRequest) (m export.Model, name string, err error) {
	if has(r.model, model.ConfigFile) {
		return export.Model{Dir: r.model}, filepath.Base(filepath.Clean(r.model)), nil
	}
	if has(r.model, model.AdapterConfigFile) {
		if r.base == "" {
			return m, "", usagef("%s is an adapter: name the directory of its base model with --base", r.model)
		}
		return export.Model{Dir: r.model, Base: r.base}, filepath.Base(filepath.Clean(r.model)), nil
	}
	dataDir, err := a.dataDir()
	if err != nil {
		return m, "", err
	}
	return namedModel(ctx, dataDir, r)
}

// namedModel finds a model of the data directory.
func namedModel(ctx context.Context, dataDir string, r *exportRequest) (m export.Model, name string, err error) {
	models, done, err := server.OpenModels(ctx, dataDir, time.Now)
	if err != nil {
		return m, "", err
	}
	defer func() { err = errors.Join(err, done()) }()
	named, err := models.Anywhere(ctx, r.model)
	if outcrop.CodeOf(err) == outcrop.CodeNotFound {
		return m, "", outcrop.Errorf(outcrop.CodeNotFound, "There is no model %s in %s, nor a directory with a model of that name.", r.model, dataDir)
	}
	if err != nil {
		return m, "", err
	}
	files, err := models.Files(ctx, named.Ref())
	if err != nil && outcrop.CodeOf(err) != outcrop.CodeNotFound { // of what it goes back to, the files need not be there
		return m, "", err
	}
	m.Dir = files.Dir
	if named.Custom == nil {
		return m, named.Foundation.ID, nil
	}
	if m.Base = cmp.Or(r.base, files.BaseDir); m.Base == "" && has(m.Dir, model.AdapterConfigFile) {
		return m, "", outcrop.Errorf(outcrop.CodeNotFound,
			"The base model of %s, %s, is no longer there: add it again, or name its directory with --base.", named.Custom.Name, named.Custom.BaseModelID)
	}
	return m, named.Custom.Name, nil
}

func has(dir, file string) bool {
	_, err := os.Stat(filepath.Join(dir, file))
	return err == nil
}

func (a *app) writeExport(ctx context.Context, r *exportRequest, m export.Model, o export.Options) (export.Report, error) {
	for _, dir := range []string{m.Dir, m.Base} {
		if dir == "" {
			continue
		}
		if err := sums.Check(ctx, dir, nil); err != nil {
			return export.Report{}, err
		}
	}
	if r.format == formatPEFT {
		return export.Adapter(ctx, r.to, m)
	}
	exec, err := a.exec(threadsFlag(0).count())
	if err != nil {
		return export.Report{}, err
	}
	defer exec.Pool.Close()
	m.Exec = exec
	if r.format == formatGGUF {
		return export.GGUF(ctx, r.to, m, o)
	}
	return export.Directory(ctx, r.to, m)
}
