package disk

import (
	"errors"
	"sync"

	"outcrop.dev/outcrop/data/blob"
)

// damages are the files that were found to be wrong, until they are deleted.
type damages struct {
	mu    sync.Mutex
	files map[string]bool
}

// damage notes a file whose bytes are wrong, if that is what err says, and returns err. Each file is
// one event of the log.
func (s *Store) damage(file string, err error) error {
	if !errors.Is(err, blob.ErrDamaged) {
		return err
	}
	s.damages.mu.Lock()
	defer s.damages.mu.Unlock()
	if s.damages.files[file] {
		return err
	}
	if s.damages.files == nil {
		s.damages.files = map[string]bool{}
	}
	s.damages.files[file] = true
	s.opt.Log.Error("a stored file is damaged: put it back from a backup, or delete the objects that it belongs to",
		"file", s.path(file), "error", err, "objects", s.ownersOf(file))
	return err
}

func (s *Store) isDamaged(file string) bool {
	s.damages.mu.Lock()
	defer s.damages.mu.Unlock()
	return s.damages.files[file]
}

// forgetDamage is for a file that is no more.
func (s *Store) forgetDamage(file string) {
	s.damages.mu.Lock()
	defer s.damages.mu.Unlock()
	delete(s.damages.files, file)
}

// Damaged returns how many files are known to hold wrong bytes.
func (s *Store) Damaged() int {
	s.damages.mu.Lock()
	defer s.damages.mu.Unlock()
	return len(s.damages.files)
}
