package cli

import "testing"

func TestSizeFlag(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]sizeFlag{"0": 0, "1MiB": 1 << 20, "12GiB": 12 << 30, "2GB": 2e9} {
		var s sizeFlag
		if err := s.Set(text); err != nil || s != want {
			t.Errorf("%s: %d, %v", text, s, err)
		}
	}
	for _, text := range []string{"", "12", "1KiB", "-5MiB", "much", "0.5"} {
		if err := new(sizeFlag).Set(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
