package cli

import (
	"os"
	"path/filepath"
	"testing"
)

// TestGroupLeft: files that the kernel has kept in memory are not taken for memory in use.
func TestGroupLeft(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		files map[string]string
		left  uint64
		ok    bool
	}{
		"cache":    {map[string]string{"memory.max": "1000\n", "memory.current": "900\n", "memory.stat": "anon 300\nfile 600\nactive_file 200\ninactive_file 350\n"}, 650, true},
		"no stat":  {map[string]string{"memory.max": "1000\n", "memory.current": "900\n"}, 100, true},
		"over":     {map[string]string{"memory.max": "1000\n", "memory.current": "1100\n", "memory.stat": "inactive_file 50\n"}, 0, true},
		"no limit": {map[string]string{"memory.max": "max\n", "memory.current": "900\n"}, 0, false},
		"no group": {nil, 0, false},
	} {
		dir := t.TempDir()
		for file, text := range x.files {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if left, ok := groupLeft(dir); left != x.left || ok != x.ok {
			t.Errorf("%s: %d, %v, want %d, %v", name, left, ok, x.left, x.ok)
		}
	}
}

// TestAlive: a server of another user is no dead one.
func TestAlive(t *testing.T) {
	t.Parallel()
	if !alive(os.Getpid()) || !alive(1) || alive(1<<22+1) { // more than Linux gives out
		t.Error("a process that runs is dead, or one that does not is alive")
	}
}
