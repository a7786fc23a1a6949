// Package soak holds the tests that load a server for a while: clients of which half vanish in the
// middle of an answer, and hours of jobs, answers and objects, in which its memory must not grow.
//
//	go test ./e2e/soak                        # vanishing clients, 40 s
//	make soak HOURS=8                         # prints the slope of the memory
package soak
