// Command asmgen writes the assembly of the numeric kernels. Run it from any directory of
// the module with
//
//	go generate ./engine/tensor/internal/asmgen
//
// and commit what it writes; its test fails when a committed file is stale.
//
// The generator knows registers and loops; what a kernel computes is said by the Go
// function that stands in the comment above each TEXT, and proved by the tests of the
// package the file is written to.
package main

//go:generate go run .

import (
	"fmt"
	"os"
	"path/filepath"
)

// outputs lists the files, by their path below tensor/, and what makes each.
var outputs = map[string]func() string{
	"gemm/tile_amx_amd64.s":           tileAMX,
	"gemm/tile_avx512bf16_amd64.s":    tileAVX512BF16,
	"gemm/tile_avx512f32_amd64.s":     tileAVX512F32,
	"gemm/tile_avx2f32_amd64.s":       tileAVX2F32,
	"gemm/int8_avx512_amd64.s":        int8File,
	"gemm/peak_amd64.s":               peakLoops,
	"gemm/pack_avx2_amd64.s":          packAVX2,
	"gemm/pack_avx512_amd64.s":        packAVX512,
	"gemm/stubs_amd64_gen.go":         gemmStubs,
	"internal/vec/vec_avx512_amd64.s": vecFile(avx512),
	"internal/vec/vec_avx2_amd64.s":   vecFile(avx2),
	"internal/vec/stubs_amd64_gen.go": vecStubs,
}

func main() {
	for path, generate := range outputs {
		path = filepath.Join("..", "..", filepath.FromSlash(path))
		if err := os.WriteFile(path, []byte(generate()), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, "asmgen:", err)
			os.Exit(1)
		}
	}
}
