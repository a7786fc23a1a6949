package tensor

// Mix is one step of SplitMix64: neighbouring x give words that look independent, so that it draws
// number n of a key as Mix(key + n), in any order.
// Steele, Lea and Flood 2014, "Fast Splittable Pseudorandom Number Generators", figure 15.
func Mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
