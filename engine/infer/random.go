package infer

// uniform returns the random number in [0,1) that belongs to (seed, position): a function
// of the two and nothing else, so that a sequence is the same whether it is streamed or
// not, alone or in a batch, today or after a restart. 53 bits.
//
// Two rounds of the finaliser of SplitMix64 (Steele, Lea & Flood 2014, as in
// java.util.SplittableRandom), the second keyed by the position.
func uniform(seed uint64, position int) float64 {
	x := mix(mix(seed+golden) + golden*uint64(position+1))
	return float64(x>>11) / (1 << 53)
}

const golden = 0x9e3779b97f4a7c15 // 2⁶⁴ divided by the golden ratio

func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
