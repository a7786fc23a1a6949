package sigv4

import (
	"bytes"
	"io"
	"testing"
)

// A body is read whole at the size that is believed and past it, and one that ends early is refused.
func TestReadAll(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, believedMax, believedMax + 1, 3 * believedMax} {
		want := bytes.Repeat([]byte("x"), n)
		for _, length := range []int64{int64(n), -1} {
			if b, err := readAll(bytes.NewReader(want), length); err != nil || !bytes.Equal(b, want) {
				t.Errorf("%d bytes, announced %d: %d, %v", n, length, len(b), err)
			}
		}
		if n > 0 {
			if _, err := readAll(io.LimitReader(bytes.NewReader(want), int64(n-1)), int64(n)); reason(err) != Incomplete {
				t.Errorf("%d of %d bytes: %v", n-1, n, err)
			}
		}
	}
	if _, err := readAll(bytes.NewReader(make([]byte, believedMax)), believedMax+1); reason(err) != Incomplete {
		t.Errorf("cut where it was believed: %v", err)
	}
}
