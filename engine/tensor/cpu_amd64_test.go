//go:build amd64 && linux && !purego

package tensor

import (
	"os"
	"regexp"
	"testing"
)

// The kernel asks the CPU the same question.
func TestVendor(t *testing.T) {
	t.Parallel()
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Skipf("NOT TESTED: the vendor of the CPU: %v", err)
	}
	m := regexp.MustCompile(`(?m)^vendor_id\s*: (.*)$`).FindSubmatch(info)
	if m == nil {
		t.Skip("NOT TESTED: the vendor of the CPU: /proc/cpuinfo has no vendor_id")
	}
	if want := string(m[1]); vendor() != want || HostCPU().Intel != (want == "GenuineIntel") {
		t.Errorf("%q, Intel %v; /proc/cpuinfo has %q", vendor(), HostCPU().Intel, want)
	}
}
