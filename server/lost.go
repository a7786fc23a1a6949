package server

import (
	"path/filepath"

	"outcrop.dev/outcrop/internal/lost"
)

// LostFolders are where the server of a data directory puts files that nothing names.
func LostFolders(dataDir string) []string {
	return []string{filepath.Join(dataDir, objectsDir, lost.Name), filepath.Join(dataDir, modelsDir, lost.Name)}
}
