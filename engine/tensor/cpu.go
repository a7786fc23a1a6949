package tensor

// CPU tells which instruction sets the kernels may use: the CPU has them, the operating
// system saves their registers, and the build contains assembly (not with -tags purego).
type CPU struct {
	AVX2       bool // AVX2 and FMA3
	AVX512     bool // AVX-512 F, BW, DQ and VL
	AVX512BF16 bool // AVX512, AVX512_BF16 (VDPBF16PS, VCVTNE2PS2BF16) and AVX512_VBMI (VPERMI2B)
	AMXBF16    bool // AVX512BF16, AMX_TILE and AMX_BF16, and permission for the tile state

	Intel bool // made by Intel: the same instruction may run at half the rate of AMD's
}

// HostCPU returns what this machine can do. Asking for AMX permission is part of it, which
// the kernel grants once for the whole process.
func HostCPU() CPU { return hostCPU() }

// String names the best tier, for logs and for `outcrop doctor`.
func (c CPU) String() string {
	switch {
	case c.AMXBF16:
		return "AMX-BF16"
	case c.AVX512BF16:
		return "AVX512-BF16"
	case c.AVX512:
		return "AVX-512"
	case c.AVX2:
		return "AVX2"
	}
	return "plain Go"
}
