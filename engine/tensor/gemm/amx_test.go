//go:build amd64 && linux && !purego

package gemm

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"

	"outcrop.dev/outcrop/engine/tensor"
	"outcrop.dev/outcrop/engine/tensor/internal/amxemu"
)

// emulatedEnv tells a test process that its tile instructions are performed for it.
const emulatedEnv = "GEMM_TEST_TILES_ARE_EMULATED"

// TestAMXEmulated runs the machine code of amx-bf16 on a CPU that has no tile unit: each of
// its tile instructions faults, and the parent performs it.
func TestAMXEmulated(t *testing.T) {
	t.Parallel()
	switch {
	case tensor.HostCPU().AMXBF16:
		t.Skip("not needed: this CPU has AMX, and TestKernels ran the kernel itself")
	case !tensor.HostCPU().AVX512BF16:
		t.Skip("NOT TESTED: the packers of amx-bf16 need AVX512_BF16")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestAMXUnderEmulation$", "-test.v")
	cmd.Env = append(os.Environ(), emulatedEnv+"=1")
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	performed, err := amxemu.Run(cmd)
	if err != nil || !strings.Contains(out.String(), "--- PASS: TestAMXUnderEmulation") {
		t.Fatalf("%v\n%s", err, out.String())
	}
	const least = 5000 // tile instructions; fewer would mean that the kernel did not run
	if performed < least {
		t.Errorf("only %d tile instructions were performed, want %d at least", performed, least)
	}
}

// TestAMXUnderEmulation is what runs in the child process of TestAMXEmulated.
func TestAMXUnderEmulation(t *testing.T) {
	if os.Getenv(emulatedEnv) == "" {
		t.Skip("only for the child process of TestAMXEmulated")
	}
	r := rand.New(rand.NewPCG(21, 22))
	shapes := [][3]int{
		{1, 1, 1}, {32, 32, 32}, {31, 33, 31}, {33, 31, 65}, {64, 64, 64}, {70, 330, 40}, // more panels than a call takes
		{5, 100, amxBF16.kc + 1}, {40, 40, 2*amxBF16.kc - 3},
	}
	for i, s := range shapes {
		for variant := range 4 {
			testMul(t, nil, amxBF16, r, s, variant, (i+variant)%2 == 0)
		}
	}
	testPaged(t, amxBF16, r)
	for _, s := range [][3]int{{1, 65, 40}, {33, 70, amxBF16.kc + 3}} {
		testInt8(t, nil, amxBF16, r, s, true, s[0] > 1)
	}
}
