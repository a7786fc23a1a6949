package rope

// rotateRef is the definition of Rotate (sign 1) and RotateBackward (sign −1).
func rotateRef(x, cos, sin []float32, sign float32) {
	half := len(cos)
	for ; len(x) > 0; x = x[2*half:] {
		a, b := x[:half], x[half:2*half]
		for i, c := range cos {
			s := sign * sin[i]
			a[i], b[i] = a[i]*c-b[i]*s, b[i]*c+a[i]*s
		}
	}
}
