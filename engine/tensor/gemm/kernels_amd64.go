//go:build amd64 && linux && !purego

package gemm

import "outcrop.dev/outcrop/engine/tensor"

// kcWords is the length of a K block in packed words, for all assembly kernels: a panel of
// B is then 32 KiB and a row of A, with its padding, 1088 bytes. The offsets in the
// micro-kernels depend on it (asmgen.aRowBytes).
const kcWords = 256

// assemblyKernels lists the kernels in assembly, those best for cpu first. On an Intel CPU
// without AMX, VDPBF16PS does half the work of a float32 multiply-add.
func assemblyKernels(cpu tensor.CPU) []*Kernel {
	if cpu.Intel && !cpu.AMXBF16 {
		return []*Kernel{amxBF16, avx512F32, avx512BF16, avx2F32}
	}
	return []*Kernel{amxBF16, avx512BF16, avx512F32, avx2F32}
}

// amxBF16 takes several panels in a call, because entering and leaving tile mode costs
// about 55 ns: 8 panels of 32 KiB are 4 microseconds of work and stay in the second level
// cache while the rows of A pass by.
var amxBF16 = withTiles(&Kernel{
	name: "amx-bf16", bf16: true, nr: 32, kc: 2 * kcWords, kUnit: 32, panels: 8,
	packA: packABF16, packB: packBBF16, unpack: unpackBF16, scale: scaleAVX512,
	usable: func(c tensor.CPU) bool { return c.AMXBF16 },
	peak:   peakAMX, peakFLOP: 6 * 2 * 16 * 16 * 32,
}, map[int]tileFunc{32: tileAMX})

var avx512BF16 = withTiles(&Kernel{
	name: "avx512-bf16", bf16: true, nr: 32, kc: 2 * kcWords, kUnit: 8, panels: 1,
	packA: packABF16, packB: packBBF16, unpack: unpackBF16, scale: scaleAVX512,
	int8Tiles: []int8Tile{1: tileInt8x1, 2: tileInt8x2, 3: tileInt8x3, 4: tileInt8x4},
	usable:    func(c tensor.CPU) bool { return c.AVX512BF16 },
	peak:      peakBF16x512, peakFLOP: 24 * 4 * 16,
}, map[int]tileFunc{
	1: tileBF16x1, 2: tileBF16x2, 3: tileBF16x3, 4: tileBF16x4, 6: tileBF16x6,
	8: tileBF16x8, 10: tileBF16x10, 12: tileBF16x12, 14: tileBF16x14,
})

var avx512F32 = withTiles(&Kernel{
	name: "avx512-f32", nr: 32, kc: kcWords, kUnit: 4, panels: 1,
	packA: packAF32(words16), packB: packBF32(words16), unpack: unpackGo(32, false), scale: scaleGo,
	usable: func(c tensor.CPU) bool { return c.AVX512 },
	peak:   peakF32x512, peakFLOP: 24 * 2 * 16,
}, map[int]tileFunc{
	1: tileF32x1, 2: tileF32x2, 3: tileF32x3, 4: tileF32x4, 6: tileF32x6,
	8: tileF32x8, 10: tileF32x10, 12: tileF32x12, 14: tileF32x14,
})

var avx2F32 = withTiles(&Kernel{
	name: "avx2-f32", nr: 16, kc: kcWords, kUnit: 4, panels: 1,
	packA: packAF32(words8), packB: packBF32(words8), unpack: unpackGo(16, false), scale: scaleGo,
	usable: func(c tensor.CPU) bool { return c.AVX2 },
	peak:   peakF32x256, peakFLOP: 12 * 2 * 8,
}, map[int]tileFunc{1: tileAVX2x1, 2: tileAVX2x2, 3: tileAVX2x3, 4: tileAVX2x4, 6: tileAVX2x6})

// rowBlock is about how many rows of A are packed at a time: 240 KiB, which leaves most of
// the second level cache to B and C.
const rowBlock = 224

// withTiles sets the micro-kernels of k, given by height; a height that is missing runs the
// next larger one.
func withTiles(k *Kernel, byRows map[int]tileFunc) *Kernel {
	for r := range byRows {
		k.mr = max(k.mr, r)
	}
	k.mc = roundUp(rowBlock, k.mr)
	k.tiles, k.tileRows = make([]tileFunc, k.mr+1), make([]int, k.mr+1)
	for r, height := k.mr, 0; r > 0; r-- {
		if byRows[r] != nil {
			height = r
		}
		k.tiles[r], k.tileRows[r] = byRows[height], height
	}
	return k
}
