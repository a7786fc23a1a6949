package server

import "outcrop.dev/outcrop/internal/reserve"

// startRoom is what a start needs of a disk, with some to spare: the index of each database's log (32
// KiB), server.json.
const startRoom = 2 << 20

// keepRoom takes the reserve of the data directory, or of another one that lies on a disk of its own.
// On a disk that is full, it gives up what a start needs.
func (s *Server) keepRoom(dir string) (*reserve.Reserve, error) {
	if s.room != nil {
		if same, err := reserve.OneDisk(s.cfg.DataDir, dir); err != nil || same {
			return s.room, err
		}
	}
	r, err := reserve.Open(dir)
	if err != nil {
		return nil, err
	}
	s.onClose(r.Close)
	r.MakeRoom(startRoom)
	return r, nil
}
