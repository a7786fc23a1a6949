package pause_test

import (
	"context"
	"fmt"
	"time"

	"outcrop.dev/outcrop/internal/pause"
)

// A loop's pause ends early when its bell rings.
func ExampleFor() {
	bell := pause.NewBell()
	bell.Ring()
	fmt.Println(pause.For(context.Background(), time.Hour, bell))
	// Output: <nil>
}
