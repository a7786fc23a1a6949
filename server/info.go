package server

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"outcrop.dev/outcrop/internal/durable"
	"outcrop.dev/outcrop/work/attempt"
)

// InfoFile is the name of the file, inside the data directory, by which commands and
// workers find the server that runs there.
const InfoFile = attempt.ServerFile

// Info is what InfoFile says.
type Info struct {
	PID int    `json:"pid"`
	URL string `json:"url"` // for this machine alone, in clear text
	// Public is the address for clients, and CABundle the file with the certificate that it has
	// made for itself, if it has.
	Public   string `json:"public,omitempty"`
	CABundle string `json:"caBundle,omitempty"`
	Run      string `json:"run"` // tells this run of a server from all others
}

// writeInfo tells the address. The file of a server that was killed is replaced.
func writeInfo(dir string, info Info) error {
	b, err := json.Marshal(info)
	if err != nil {
		return err
	}
	return durable.WriteBytes(filepath.Join(dir, InfoFile), 0o600, append(b, '\n'))
}

func readInfo(dir string) (info Info, err error) {
	b, err := os.ReadFile(filepath.Join(dir, InfoFile))
	if err == nil {
		err = json.Unmarshal(b, &info)
	}
	return info, err
}

// removeInfo removes the file of the server that it tells of. Another server's stays: that one came
// because somebody has replaced what this one held.
func removeInfo(dir string, own Info) error {
	if found, err := readInfo(dir); err != nil || found != own {
		return nil // of no use, or not ours
	}
	err := os.Remove(filepath.Join(dir, InfoFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
