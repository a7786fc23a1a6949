//go:build !race

package customize

const raceEnabled = false
