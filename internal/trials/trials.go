// Package trials says how often the tests of reliability try: a little in every run, much with the
// build tag long. It knows nothing of what is tried.
//
//	for range trials.N(200, 5000) { … }
//
// docs/reliability.md has what came of both.
package trials

// N is ci in every run, and long with the build tag long.
func N(ci, long int) int {
	if Long {
		return long
	}
	return ci
}
