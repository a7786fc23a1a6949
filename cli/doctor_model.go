package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/infer"
	"outcrop.dev/outcrop/models/catalog"
)

// examineModel has the embedded model, written to a temporary directory, say something.
func (a *app) examineModel(ctx context.Context) finding {
	f := finding{What: "base model"}
	dir, err := os.MkdirTemp("", "outcrop-doctor-")
	if err != nil {
		f.Detail = err.Error()
		return f
	}
	defer os.RemoveAll(dir)
	tokens, took, err := a.trial(ctx, dir)
	if err != nil {
		f.Detail = catalog.PebbleID + ": " + explain(err)
		return f
	}
	f.OK, f.Detail = true, fmt.Sprintf("%s loads and generates: %d tokens in %s", catalog.PebbleID, tokens, took.Round(time.Millisecond))
	return f
}

// trialTokens is enough to use every weight, some of them twice.
const trialTokens = 8

// trial generates a few tokens with the embedded model.
func (a *app) trial(ctx context.Context, dir string) (tokens int, took time.Duration, err error) {
	models, err := catalog.Open(dir)
	if err != nil {
		return 0, 0, err
	}
	m, ok := models.Lookup(catalog.PebbleID)
	if !ok {
		return 0, 0, errors.Join(models.Problems()...)
	}
	exec, err := a.exec(threadsFlag(0).count())
	if err != nil {
		return 0, 0, err
	}
	defer exec.Pool.Close()
	engine := infer.New(infer.Options{
		Exec: exec, Seed: func() uint64 { return 0 },
		AfterFunc: func(d time.Duration, f func()) func() bool { return time.AfterFunc(d, f).Stop },
	})
	defer engine.Close()
	began := time.Now()
	result, err := engine.Generate(ctx, outcrop.GenerateRequest{
		Model: outcrop.ModelFiles{ID: m.FilesID, Dir: m.Dir}, MaxTokens: trialTokens, TopP: 1, Messages: []outcrop.Message{outcrop.Text(outcrop.RoleUser, "Hello")},
	}, nil)
	return result.OutputTokens, time.Since(began), err
}

// examineCatalog says which models of the data directory cannot be served, and why.
func examineCatalog(dir string) finding {
	f := finding{What: "models"}
	models, err := catalog.Read(dir)
	if errors.Is(err, fs.ErrNotExist) {
		f.OK, f.Detail = true, "none yet: the first start of a server writes the embedded one"
		return f
	}
	if err != nil {
		f.Detail = err.Error()
		return f
	}
	if problems := models.Problems(); len(problems) > 0 {
		f.Detail = errors.Join(problems...).Error()
		return f
	}
	f.OK, f.Detail = true, fmt.Sprintf("%d ids are served", len(models.List()))
	return f
}
