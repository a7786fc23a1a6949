// Package work sees to it that what was asked for is done: one supervisor for every kind of work. A
// record is its own queue entry. The supervisor claims it by lease and fencing token, has it
// worked on, and lets it go when it has ended. A kind of work is one folder below this one, and
// one line in package server.
//
// Some kinds do their work here, as throughput does, which loads models. Others need processes:
// attempts, one after the other, until one has a result. What such a kind must say of itself are
// its Rules; starting, watching, stopping, trying again and giving up are the same for all.
//
//	claim ──► start attempt n+1 ──► watch ──► done:   publish, commit the record and what was made
//	              ▲                   │
//	              └── back off ◄── died          stopped, failed: commit the record
//
// Nothing that is decided is in memory only. A server that dies at any point finds in the record
// where it was:
//
//	Attempt.Result    how the attempt says that it has ended: conclude
//	Attempt.Handle    a process to look for
//	Attempt.Started   an attempt that has begun; its process is asked for again if it has no handle
//	none of them      an attempt is to be started, if the work is not to be stopped
//
// Two numbers keep the past away. The lease's fence guards every write of a supervisor against
// another server's; the attempt's number, which its token carries, guards every call of a worker
// against a later worker's.
//
// The package knows neither how a process is started (package launch) nor what it does
// (package attempt is what both ends agree on).
package work
