package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/internal/pause"
	"outcrop.dev/outcrop/models/catalog"
	"outcrop.dev/outcrop/models/hub"
)

const modelsPullLong = `Download a model from the Hugging Face hub and add it as a foundation model. Only what is needed is
downloaded: configuration, tokenizer, chat template, licence, safetensors; never pickle files. Every file is
checked against the hub's checksum. A download that was interrupted goes on where it broke off.

HF_TOKEN is the token for models that are private or gated; HF_ENDPOINT is another hub, such as a mirror.
Read the model's licence: it may restrict what the model and what is made from it may be used for.`

// downloadsDir is the directory, in the data directory, of downloads that are not complete.
const downloadsDir = "downloads"

func (a *app) modelsPullCommand() *cobra.Command {
	var add catalog.Addition
	c := &cobra.Command{
		Use:   "pull ORG/NAME[@REVISION]",
		Short: "Download a model from the Hugging Face hub and add it",
		Long:  modelsPullLong,
		Example: `  outcrop models pull HuggingFaceTB/SmolLM2-135M
  outcrop models pull Qwen/Qwen2.5-0.5B-Instruct@main --id qwen.half-v1`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return a.pullModel(c.Context(), args[0], add)
		},
	}
	additionFlags(c, &add)
	return c
}

func (a *app) pullModel(ctx context.Context, ref string, add catalog.Addition) error {
	name, err := hub.ParseName(ref)
	if err != nil {
		return err
	}
	dataDir, err := a.makeDataDir()
	if err != nil {
		return err
	}
	client, err := a.hubClient()
	if err != nil {
		return err
	}
	m, err := client.Model(ctx, name)
	if err != nil {
		return err
	}
	if add.ID == "" {
		add.ID = catalog.HubID(m.ID)
	}
	if err := catalog.CheckFree(dataDir, append([]string{add.ID}, add.Aliases...)); err != nil {
		return err // before gigabytes have come
	}
	dir := filepath.Join(dataDir, downloadsDir, strings.ReplaceAll(m.ID, "/", "--")+"--"+m.Commit[:12])
	a.note("%s at %s: %d files, %s", m.ID, m.Commit[:12], len(m.Files), humanize.IBytes(uint64(m.Bytes())))
	if err := client.Download(ctx, m.WithoutWeights(), dir, nil); err != nil {
		return err
	}
	if err := catalog.CheckWithoutWeights(dir); err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	if err := a.download(ctx, client, m, dir); err != nil {
		return err
	}
	add.Link = true // within one data directory, and the download goes away
	if err := a.addModel(ctx, dataDir, dir, add); err != nil {
		return err
	}
	return os.RemoveAll(dir)
}

func (a *app) download(ctx context.Context, client *hub.Client, m hub.Model, dir string) error {
	client.Again = nil // from here on the line of progress tells that nothing comes
	line := newByteLine(a.err)
	defer line.close()
	return client.Download(ctx, m, dir, line.show)
}

// hubClient returns a client as Hugging Face's own variables say.
func (a *app) hubClient() (*hub.Client, error) {
	// Values as huggingface_hub reads them.
	if v := strings.ToUpper(a.getenv("HF_HUB_OFFLINE")); slices.Contains([]string{"1", "ON", "YES", "TRUE"}, v) {
		return nil, outcrop.Errorf(outcrop.CodeValidation,
			"HF_HUB_OFFLINE is set: nothing is downloaded. Copy the model's directory here, and use `outcrop models add`.")
	}
	return hub.New(hub.Options{
		Endpoint: a.getenv("HF_ENDPOINT"), Token: a.getenv("HF_TOKEN"), UserAgent: "outcrop/" + readVersion().Version,
		Wait:      func(ctx context.Context, d time.Duration) error { return pause.For(ctx, d, nil) },
		Again:     func(why error, d time.Duration) { a.note("%v; trying again in %v", why, d) },
		AfterFunc: func(d time.Duration, f func()) func() bool { return time.AfterFunc(d, f).Stop },
	})
}
