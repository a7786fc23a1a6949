package server

import (
	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/engine/customize"
)

// baseDigest tells one base model from another, as its job's worker does.
func baseDigest(f outcrop.ModelFiles) (string, error) { return customize.BaseDigest(f.Dir, f.BaseDir) }
