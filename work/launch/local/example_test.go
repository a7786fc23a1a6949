package local_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"outcrop.dev/outcrop/work/launch"
	"outcrop.dev/outcrop/work/launch/local"
)

// A worker that does nothing but end with exit code 65.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "outcrop")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	var launcher launch.Launcher = local.New(local.Config{
		Command: []string{"/bin/sh", "-c", "echo line 7 is not JSON; exit 65"}, DataDir: dir, ScratchRoot: filepath.Join(dir, "scratch"),
	})
	handle, err := launcher.Start(ctx, launch.Launch{JobID: "abcdefghijkl", Attempt: 1, Token: "secret"})
	if err != nil {
		panic(err)
	}
	for {
		state, err := launcher.State(ctx, handle)
		if err != nil {
			panic(err)
		}
		if state.Over() {
			fmt.Println(state.Phase, state.Code, state.Detail)
			return
		}
		time.Sleep(time.Millisecond)
	}
	// Output: Ended 65 exit status 65; it said: line 7 is not JSON
}
