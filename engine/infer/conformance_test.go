package infer

import (
	"os"
	"testing"

	"outcrop.dev/outcrop/engine/infer/enginetest"
	"outcrop.dev/outcrop/internal/tinymodel"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	enginetest.Run(t, func(t testing.TB) *enginetest.Subject {
		dir := t.TempDir()
		if err := tinymodel.Write(dir); err != nil {
			t.Fatal(err)
		}
		remove := func() {
			if err := os.RemoveAll(dir); err != nil {
				t.Error(err)
			}
		}
		return &enginetest.Subject{
			Engine: newEngine(t, Options{}), Files: filesIn(dir), Context: tinymodel.Context, Remove: remove,
		}
	})
}
