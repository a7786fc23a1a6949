// Package gemm multiplies matrices: C (M,N) (+)= A (M,K) · B (K,N), where A and B are
// float32 or bfloat16, stored either way round, and C is float32.
//
// A Kernel is one way to do it. Those ending in -f32 multiply in float32; those ending in
// -bf16 round A and B to bfloat16 while packing them and add the products in float32. The
// ref kernels are plain Go and define what the others must compute.
//
//	k := gemm.Best()
//	w := gemm.Pack(pool, k, gemm.Matrix{Rows: in, Cols: out, Stride: in, Trans: true, F32: weights})
//	gemm.MulPacked(pool, k, y, out, gemm.Matrix{Rows: tokens, Cols: in, Stride: in, F32: x}, w, false)
//
// # How it works
//
// As GotoBLAS does (Goto and van de Geijn 2008): K is cut into blocks, A and B are copied
// ("packed") into the order in which a micro-kernel reads them, and the micro-kernel adds a
// block to one tile of C that it holds in registers.
//
//	packed B: for each K block, for each panel of NR columns, the NR words of k=0, of k=1, ...
//	packed A: for each K block, the rows one after the other, aRow words apart
//
// A word is 32 bits: one float32, or two bfloat16 that are neighbours along K, the lower
// half first. Edges are padded with zeros, and partial tiles go through a scratch tile.
//
// # How fast it is
//
// GFLOP/s on 2 cores of an AMD EPYC (Zen 5), Go 1.26.8, 2026-11-22, the best run of
// `go test -run - -bench Mul ./engine/tensor/gemm` (M x N x K, matrices too large for the caches; what
// the instruction can do is printed by `outcrop bench machine`):
//
//	                              avx512-bf16  avx512-f32  avx2-f32
//	peak                          986          495         249
//	forward  8192 x 1024 x  256   818          445         236
//	forward  2048 x 3072 x  576   779          396         212
//	dX       2048 x  576 x 3072   856          433         212
//	dW       3072 x  576 x 2048   796          414         225
//	logits   1024 x 8192 x  256   747          400         223
//
// ref-f32 and ref-bf16 do 2 on one core. Products of few rows with packed weights are limited
// by memory: 54 GB/s of weights of 16 bits with one row, 38 of eight bits (PackInt8), which is
// 1.4 times the rows a second (`go test -run - -bench Decode ./engine/tensor/gemm`).
//
// amx-bf16 has run in an emulator only (TestAMXEmulated): no machine with AMX has timed it.
// On Intel CPUs that have AVX512_BF16 but no AMX, VDPBF16PS does half the work of a float32
// multiply-add, so that Best prefers avx512-f32 there; no such machine has timed either.
//
// # What it promises
//
// Where K is cut depends on the kernel alone, so an element of C depends only on its row
// of A, its column of B and K, bit for bit: not on M, on N, on the neighbours or on the
// number of threads.
package gemm
