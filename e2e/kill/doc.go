// Package kill holds the tests that kill the server and its workers at random moments of a job, and
// that let their disk fail, and want the same result as if nothing had happened.
//
//	go test ./e2e/kill -args -seed 1 -kills 25            # in every run
//	go test ./e2e/kill -args -seed 1 -from 100 -kills 100 # the second piece of 500
package kill
