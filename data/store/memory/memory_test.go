package memory_test

import (
	"testing"
	"time"

	"outcrop.dev/outcrop/data/store/memory"
	"outcrop.dev/outcrop/data/store/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(_ *testing.T, now func() time.Time) storetest.Store { return memory.New(now) })
}
