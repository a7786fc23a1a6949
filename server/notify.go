package server

import (
	"context"

	"outcrop.dev/outcrop"
)

// notifyingStore tells the supervisor at once of what services write, so that nobody waits
// for the next poll. A supervisor's own writes wake it too, which costs it one look.
type notifyingStore struct {
	outcrop.Store
	changed map[outcrop.Kind]func()
}

// Apply applies, and tells whoever works on the kinds that changed.
func (s *notifyingStore) Apply(ctx context.Context, changes ...outcrop.Change) error {
	if err := s.Store.Apply(ctx, changes...); err != nil {
		return err
	}
	for _, c := range changes {
		if notify := s.changed[c.Record.Kind]; notify != nil {
			notify()
		}
	}
	return nil
}
