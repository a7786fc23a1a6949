//go:build amd64 && linux && !purego

package tensor

import (
	"encoding/binary"
	"sync"
	"unsafe"

	"golang.org/x/sys/cpu"
	"golang.org/x/sys/unix"
)

// arch_prctl(2) codes and the state component of AMX tile data
// (Linux Documentation/arch/x86/xstate.rst).
const (
	archGetXcompPerm = 0x1022
	archReqXcompPerm = 0x1023
	xfeatureTileData = 18
)

var hostCPU = sync.OnceValue(func() CPU {
	x := cpu.X86
	c := CPU{AVX2: x.HasAVX2 && x.HasFMA, Intel: vendor() == "GenuineIntel"}
	c.AVX512 = c.AVX2 && x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL
	c.AVX512BF16 = c.AVX512 && x.HasAVX512BF16 && x.HasAVX512VBMI
	c.AMXBF16 = c.AVX512BF16 && x.HasAMXTile && x.HasAMXBF16 && permitTiles()
	return c
})

// cpuidVendor returns the registers in which leaf 0 of CPUID spells the vendor.
func cpuidVendor() (b, d, c uint32)

// vendor names who made the CPU, as /proc/cpuinfo does: GenuineIntel, AuthenticAMD.
func vendor() string {
	b, d, c := cpuidVendor()
	var s []byte
	for _, register := range []uint32{b, d, c} {
		s = binary.LittleEndian.AppendUint32(s, register)
	}
	return string(s)
}

// permitTiles asks for the AMX tile state. The permission belongs to the process and is
// inherited by threads made later; threads that exist already have it too. The kernel
// refuses when a signal stack is too small; the stacks of the Go runtime are large enough.
func permitTiles() bool {
	if _, _, e := unix.RawSyscall(unix.SYS_ARCH_PRCTL, archReqXcompPerm, xfeatureTileData, 0); e != 0 {
		return false
	}
	var mask uint64
	_, _, e := unix.RawSyscall(unix.SYS_ARCH_PRCTL, archGetXcompPerm, uintptr(unsafe.Pointer(&mask)), 0)
	return e == 0 && mask&(1<<xfeatureTileData) != 0
}
