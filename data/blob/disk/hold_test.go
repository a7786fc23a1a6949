package disk

import (
	"testing"

	"outcrop.dev/outcrop/data/blob"
)

// As long as somebody holds the files, none is removed; then they go.
func TestHold(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	put(t, s, "k", "body")
	path := s.path(onlyFile(t, s))
	release, err := Hold(s.dir)
	must(t, err)
	again, err := Hold(s.dir) // another one beside it
	must(t, err)
	must(t, again())
	must(t, s.Delete(ctx, "b", "k", blob.Condition{}))
	if held := s.unlessHeld(func() { t.Error("removed") }); !held || !exists(path) {
		t.Errorf("held %v, the file is there: %v", held, exists(path))
	}
	must(t, release())
	if contentFiles(t, s) != 0 {
		t.Error("the file is still there")
	}
}
