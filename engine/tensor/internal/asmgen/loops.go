package main

// zeroAcc clears the accumulator.
const zeroAcc = "VXORPS r9, r9, r9"

// loops are the functions of package vec. r9 is the accumulator of those with a result, and
// lanes beyond the end of the slices must not change it. Sums are in one accumulator, so
// that an element's lane and the order of the sum depend on its index alone.
var loops = []loop{
	{
		name: "max", comment: "the largest element, -Inf for none; NaN may be lost.",
		slices: []string{"x"}, result: "max", begin: "VMOVUPS minusInf<>(SB), r9",
		body: func(v *vec) {
			v.load("x", 0)
			v.minusInfBeyond(0)
			v.op("VMAXPS r0, r9, r9")
		},
	},
	{
		name: "expSum", comment: "x = exp(scale*x + bias); returns the sum.",
		slices: []string{"x"}, scalars: []string{"scale", "bias"}, result: "sum", exp: true, begin: zeroAcc,
		body: func(v *vec) {
			v.load("x", 0)
			v.op("VMULPS r14, r0, r0\nVADDPS r13, r0, r0") // two roundings, as in the definition
			v.exp()
			v.store(0, "x")
			v.zeroBeyond(0)
			v.op("VADDPS r0, r9, r9")
		},
	},
	{
		name: "sumExp", comment: "returns the sum of exp(x + bias).",
		slices: []string{"x"}, scalars: []string{"bias"}, result: "sum", exp: true, begin: zeroAcc,
		body: func(v *vec) {
			v.load("x", 0)
			v.op("VADDPS r14, r0, r0")
			v.exp()
			v.zeroBeyond(0)
			v.op("VADDPS r0, r9, r9")
		},
	},
	{
		name: "expScale", comment: "x = scale*exp(x + bias).",
		slices: []string{"x"}, scalars: []string{"bias", "scale"}, exp: true,
		body: func(v *vec) {
			v.load("x", 0)
			v.op("VADDPS r14, r0, r0")
			v.exp()
			v.op("VMULPS r13, r0, r0")
			v.store(0, "x")
		},
	},
	{
		name: "scale", comment: "x = a*x.",
		slices: []string{"x"}, scalars: []string{"a"},
		body: func(v *vec) {
			v.load("x", 0)
			v.op("VMULPS r14, r0, r0")
			v.store(0, "x")
		},
	},
	{
		name: "softmaxBackward", comment: "s = exp(scale*s - lse), then dp = scale*s*(dp - delta).",
		slices: []string{"s", "dp"}, scalars: []string{"scale", "lse", "delta"}, exp: true,
		body: func(v *vec) {
			v.load("s", 0)
			v.load("dp", 4)
			v.op("VMULPS r14, r0, r0\nVSUBPS r13, r0, r0") // as expSum rounds
			v.exp()
			v.op("VSUBPS r12, r4, r4\nVMULPS r14, r0, r5\nVMULPS r5, r4, r4")
			v.store(0, "s")
			v.store(4, "dp")
		},
	},
	{
		name: "dot", comment: "returns the sum of a*b.",
		slices: []string{"a", "b"}, result: "sum", begin: zeroAcc,
		body: func(v *vec) {
			v.load("a", 0)
			v.load("b", 1)
			v.op("VFMADD231PS r0, r1, r9")
		},
	},
	{
		name: "sumSquares", comment: "returns the sum of x*x in float64.",
		slices: []string{"x"}, result: "sum64", begin: zeroAcc,
		body: func(v *vec) {
			v.load("x", 0)
			v.squares64()
		},
	},
	{
		name: "dotThree", comment: "returns the sum of a*b*c.",
		slices: []string{"a", "b", "c"}, result: "sum", begin: zeroAcc,
		body: func(v *vec) {
			v.load("a", 0)
			v.load("b", 1)
			v.load("c", 2)
			v.op("VMULPS r0, r1, r0\nVFMADD231PS r0, r2, r9")
		},
	},
	{
		name: "swiGLU", comment: "dst = up*gate/(1 + exp(-gate)).",
		slices: []string{"dst", "gate", "up"}, exp: true,
		body: func(v *vec) {
			v.load("gate", 4)
			v.sigmoid()
			v.load("up", 6)
			v.op("VMULPS r4, r5, r5\nVMULPS r5, r6, r6") // up last: up*gate may overflow
			v.store(6, "dst")
		},
	},
	{
		name: "swiGLUBackward",
		comment: "with s = 1/(1 + exp(-gate)): dup = dact*gate*s,\n" +
			"dgate = dact*up*s*(1 + gate*(1 - s)).",
		slices: []string{"dgate", "dup", "dact", "gate", "up"}, exp: true,
		body: func(v *vec) {
			v.load("gate", 4)
			v.sigmoid()
			v.load("dact", 6)
			v.load("up", 7)
			v.op(`VMOVUPS one<>(SB), r1
				VSUBPS r5, r1, r0
				VFMADD213PS r1, r4, r0
				VMULPS r5, r6, r6
				VMULPS r6, r7, r7
				VMULPS r0, r7, r7
				VMULPS r6, r4, r4`)
			v.store(7, "dgate")
			v.store(4, "dup")
		},
	},
	{
		name: "geluTanh", comment: "dst = up*gate/(1 + exp(-u)), u = gate*(1.5957691 + 0.0713548*gate^2).",
		slices: []string{"dst", "gate", "up"}, exp: true,
		body: func(v *vec) {
			v.load("gate", 4)
			v.op(`VMOVAPS r4, r6
				VMULPS r4, r4, r5
				VMOVUPS tanhCube<>(SB), r7
				VFMADD213PS tanhLinear<>(SB), r5, r7
				VMULPS r7, r4, r4`)
			v.sigmoid()
			v.op("VMULPS r6, r5, r5")
			v.load("up", 6)
			v.op("VMULPS r5, r6, r6")
			v.store(6, "dst")
		},
	},
	{
		name: "geluTanhBackward",
		comment: "with u as in geluTanh and s = 1/(1 + exp(-u)): dup = dact*gate*s,\n" +
			"dgate = dact*up*s*(1 + gate*(1 - s)*(1.5957691 + 0.2140644*gate^2)). The square is at most 400.",
		slices: []string{"dgate", "dup", "dact", "gate", "up"}, exp: true,
		body: func(v *vec) {
			v.load("gate", 4)
			v.op(`VMOVAPS r4, r6
				VMULPS r4, r4, r7
				VMINPS squareMax<>(SB), r7, r7
				VMOVUPS tanhCube<>(SB), r8
				VFMADD213PS tanhLinear<>(SB), r7, r8
				VMULPS r8, r4, r4`)
			v.sigmoid()
			v.op(`VMOVUPS tanhSlope<>(SB), r8
				VFMADD213PS tanhLinear<>(SB), r7, r8
				VMOVUPS one<>(SB), r1
				VSUBPS r5, r1, r0
				VMULPS r8, r0, r0
				VFMADD213PS r1, r6, r0
				VMULPS r5, r0, r0
				VMULPS r6, r5, r4`)
			v.gradients()
		},
	},
	{
		name: "gelu", comment: "dst = up*gate*P(gate), P the normal distribution.",
		slices: []string{"dst", "gate", "up"}, exp: true,
		body: func(v *vec) {
			v.load("gate", 4)
			v.normal()
			v.op("VMULPS r4, r5, r5")
			v.load("up", 6)
			v.op("VMULPS r5, r6, r6")
			v.store(6, "dst")
		},
	},
	{
		name: "geluBackward",
		comment: "with P the normal distribution and p its density: dup = dact*gate*P(gate),\n" +
			"dgate = dact*up*(P(gate) + gate*p(gate)).",
		slices: []string{"dgate", "dup", "dact", "gate", "up"}, exp: true,
		body: func(v *vec) {
			v.load("gate", 4)
			v.normal()
			v.op(`VMULPS density<>(SB), r0, r0
				VFMADD213PS r5, r4, r0
				VMULPS r5, r4, r4`)
			v.gradients()
		},
	},
	{
		name: "norm", comment: "y = x*r*w.",
		slices: []string{"y", "x", "w"}, scalars: []string{"r"},
		body: func(v *vec) {
			v.load("x", 0)
			v.load("w", 1)
			v.op("VMULPS r14, r0, r0\nVMULPS r1, r0, r0")
			v.store(0, "y")
		},
	},
	{
		name: "normBackward", comment: "dw += dy*x*r, dx += dy*w*r - x*k.",
		slices: []string{"dx", "dw", "dy", "x", "w"}, scalars: []string{"r", "k"},
		body: func(v *vec) {
			v.load("dy", 0)
			v.load("x", 1)
			v.load("w", 2)
			v.load("dw", 3)
			v.load("dx", 4)
			v.op(`VMULPS r14, r0, r0
				VFMADD231PS r0, r1, r3
				VFNMADD231PS r13, r1, r4
				VFMADD231PS r0, r2, r4`)
			v.store(3, "dw")
			v.store(4, "dx")
		},
	},
	{
		name: "rotate", comment: "a, b = a*cos - b*sin*sign, b*cos + a*sin*sign.",
		slices: []string{"a", "b", "cos", "sin"}, scalars: []string{"sign"},
		body: func(v *vec) {
			v.load("a", 0)
			v.load("b", 1)
			v.load("cos", 2)
			v.load("sin", 3)
			v.op(`VMULPS r14, r3, r3
				VMULPS r0, r2, r4
				VMULPS r1, r2, r5
				VFNMADD231PS r1, r3, r4
				VFMADD231PS r0, r3, r5`)
			v.store(4, "a")
			v.store(5, "b")
		},
	},
	{
		name: "adamW",
		comment: "m = m*beta1 + g*scale*rest1, v = v*beta2 + (g*scale)^2*rest2,\n" +
			"w = w*decay - rate*m/(sqrt(v)*c2 + eps).",
		slices:  []string{"w", "g", "m", "v"},
		scalars: []string{"scale", "beta1", "rest1", "beta2", "rest2", "decay", "rate", "c2", "eps"},
		body: func(v *vec) {
			v.load("g", 0)
			v.load("m", 1)
			v.load("v", 2)
			v.load("w", 3)
			v.op(`VMULPS r14, r0, r0
				VMULPS r13, r1, r1
				VFMADD231PS r12, r0, r1
				VMULPS r0, r0, r4
				VMULPS r11, r2, r2
				VFMADD231PS r10, r4, r2`)
			v.store(1, "m")
			v.store(2, "v")
			v.op(`VSQRTPS r2, r4
				VFMADD213PS r6, r7, r4
				VMULPS r8, r1, r1
				VDIVPS r4, r1, r1
				VMULPS r9, r3, r3
				VSUBPS r1, r3, r3`)
			v.store(3, "w")
		},
	},
}
