package work

import (
	"context"

	"outcrop.dev/outcrop"
)

// Site is what the server around it gives to a kind of work that processes do.
type Site struct {
	Attempts *Attempts
	// Files finds a model by its catalog id or ARN. CodeNotFound if there is none any more.
	Files func(ctx context.Context, model string) (outcrop.ModelFiles, error)
	// ModelDir is where a custom model lies: absolute.
	ModelDir func(id string) string
}
