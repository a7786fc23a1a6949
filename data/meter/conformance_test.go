package meter_test

import (
	"path/filepath"
	"testing"

	"outcrop.dev/outcrop/data/meter"
	"outcrop.dev/outcrop/data/meter/metertest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	metertest.Run(t, func(t testing.TB) metertest.Meter {
		m, err := meter.Open(t.Context(), filepath.Join(t.TempDir(), "usage.db"), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { m.Close() })
		return m
	})
}
