// Package kill holds the test that kills the server and its workers at random moments of a
// job and wants the same result as if nothing had happened. It takes minutes and runs with
// make long: go test -tags long ./e2e/kill
package kill
