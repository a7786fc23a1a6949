package rope

import "math"

// Frequencies returns theta^(−2i/d) for i < d/2: how far the angle of each pair of d
// channels goes with one position. Panics if d is odd or not positive.
func Frequencies(d int, theta float64) []float64 {
	if d <= 0 || d%2 != 0 {
		panic("rope: the number of channels must be even and positive")
	}
	f := make([]float64, d/2)
	for i := range f {
		f[i] = math.Pow(theta, -2*float64(i)/float64(d))
	}
	return f
}

// Divide divides each frequency by a factor of its own, or all by the one that is given:
// positions are interpolated (Chen et al. 2023, arXiv:2306.15595; for each frequency, Ding
// et al. 2024, arXiv:2402.13753). It changes freq and returns it.
func Divide(freq []float64, factors ...float64) []float64 {
	for i := range freq {
		freq[i] /= factors[min(i, len(factors)-1)]
	}
	return freq
}

// Llama3 is the scaling of Llama 3.1, by wavelength against the positions that the model
// was first trained with (original): short waves stay, long ones are divided by factor, and
// in between, from original/high to original/low, there is a smooth way from the one to the
// other. It changes freq and returns it. Dubey et al. 2024, arXiv:2407.21783, and the
// reference code beside it.
func Llama3(freq []float64, factor, low, high float64, original int) []float64 {
	for i, f := range freq {
		waves := float64(original) * f / (2 * math.Pi) // turns within the original positions
		smooth := min(max((waves-low)/(high-low), 0), 1)
		freq[i] = (1-smooth)*f/factor + smooth*f
	}
	return freq
}

// Yarn is the scaling of Peng et al. 2023, arXiv:2309.00071, eq. 18 to 23: pairs of d
// channels that turn more than fast times within the original positions stay, those below
// slow times are divided by factor, and a ramp over the index of the pair lies in between,
// its ends at whole pairs if whole is set. It changes freq and returns it.
func Yarn(freq []float64, theta, factor, fast, slow float64, original int, whole bool) []float64 {
	d := float64(2 * len(freq))
	at := func(turns float64) float64 { // the pair that turns so often
		return d * math.Log(float64(original)/(turns*2*math.Pi)) / (2 * math.Log(theta))
	}
	from, to := at(fast), at(slow)
	if whole {
		from, to = math.Floor(from), math.Ceil(to)
	}
	from, to = max(from, 0), min(to, d-1)
	if from == to {
		to += 0.001 // as the reference code does against a division by zero
	}
	for i, f := range freq {
		ramp := min(max((float64(i)-from)/(to-from), 0), 1)
		freq[i] = ramp*f/factor + (1-ramp)*f
	}
	return freq
}
