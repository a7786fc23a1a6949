//go:build !long

package trials

// Long says whether the tests were built with the tag long.
const Long = false
