//go:build amd64 && linux && !purego

package gemm

import (
	"slices"
	"testing"

	"outcrop.dev/outcrop/engine/tensor"
)

// The order of the kernels is the choice: the first is used.
func TestKernelsOf(t *testing.T) {
	t.Parallel()
	avx2 := tensor.CPU{AVX2: true}
	avx512 := tensor.CPU{AVX2: true, AVX512: true}
	bf16 := tensor.CPU{AVX2: true, AVX512: true, AVX512BF16: true}
	amx := tensor.CPU{AVX2: true, AVX512: true, AVX512BF16: true, AMXBF16: true}
	intel := func(c tensor.CPU) tensor.CPU {
		c.Intel = true
		return c
	}
	for name, test := range map[string]struct {
		cpu  tensor.CPU
		want []string
	}{
		"none":                {tensor.CPU{}, nil},
		"AVX2":                {avx2, []string{"avx2-f32"}},
		"Intel, AVX2":         {intel(avx2), []string{"avx2-f32"}},
		"AVX-512":             {avx512, []string{"avx512-f32", "avx2-f32"}},
		"Intel, AVX-512":      {intel(avx512), []string{"avx512-f32", "avx2-f32"}},
		"AVX512_BF16":         {bf16, []string{"avx512-bf16", "avx512-f32", "avx2-f32"}},
		"Intel, AVX512_BF16":  {intel(bf16), []string{"avx512-f32", "avx512-bf16", "avx2-f32"}},
		"AMX of somebody new": {amx, []string{"amx-bf16", "avx512-bf16", "avx512-f32", "avx2-f32"}},
		"Intel, AMX":          {intel(amx), []string{"amx-bf16", "avx512-bf16", "avx512-f32", "avx2-f32"}},
	} {
		want := append(test.want, "ref-f32", "ref-bf16")
		var got []string
		for _, k := range kernelsOf(test.cpu) {
			got = append(got, k.Name())
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}
