// Package launchtest is the conformance suite that every launch.Launcher passes.
//
//	func TestMain(m *testing.M) {
//		launchtest.BeWorker() // the test binary is its own worker
//		os.Exit(m.Run())
//	}
//
//	func TestConformance(t *testing.T) {
//		launchtest.Run(t, func(t testing.TB, p launchtest.Program) launchtest.Site { … })
//	}
//
// The suite's workers are real processes. Each holds a connection to the suite, on which it says
// how it was started and is told how to end, and whose end shows that the process is gone,
// whatever its launcher says. It ends with the connection, so that none outlives its test.
//
// Engine and Remote stand for a cluster and its launcher.
package launchtest

import (
	"testing"

	"outcrop.dev/outcrop/work/launch"
)

// Program is what the launchers of a Site run.
type Program struct {
	Command []string // its arguments "--data DIR --job ID --attempt N" follow
	Env     []string // the token is added
}

// Site is one installation, on a machine or a cluster of its own. A field that is nil says that
// there is no such thing.
type Site struct {
	// Launcher returns a launcher of this installation. The first call's is that of the server; each
	// later one's that of the next server, after a restart.
	Launcher func() launch.Launcher
	// Other returns a launcher of another installation on the same machine or cluster.
	Other func() launch.Launcher
	// Remembers is set if the next server knows how a process ended that an earlier one started.
	Remembers bool
	// Full leaves no place for another process until free is called.
	Full func() (free func())
	// Away keeps launchers from learning anything until back is called.
	Away func() (back func())
	// Apart is set if workers see nothing of this machine's disk.
	Apart bool
}

// Open returns a site whose launchers run p; it registers its own cleanup.
type Open func(t testing.TB, p Program) Site

// Run runs the suite.
func Run(t *testing.T, open Open) {
	t.Helper()
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(newFixture(t, open))
		})
	}
}

var cases = map[string]func(*fixture){
	"Runs":                        testRuns,
	"IsToldWhatToDo":              testIsToldWhatToDo,
	"EndsWithCode":                testEndsWithCode,
	"Killed":                      testKilled,
	"KillOfWhatHasEnded":          testKillOfWhatHasEnded,
	"KilledByTheNextServer":       testKilledByTheNextServer,
	"StartedTwice":                testStartedTwice,
	"StartedTwiceAtOnce":          testStartedTwiceAtOnce,
	"StartedAgainByTheNextServer": testStartedAgainByTheNextServer,
	"NextAttemptEndsTheEarlier":   testNextAttemptEndsTheEarlier,
	"List":                        testList,
	"LeavesOthersAlone":           testLeavesOthersAlone,
	"BadHandles":                  testBadHandles,
	"PathsAreNotJobs":             testPathsAreNotJobs,
	"NoSuchProgram":               testNoSuchProgram,
	"Waiting":                     testWaiting,
	"KilledWhileWaiting":          testKilledWhileWaiting,
	"Away":                        testAway,
	"NoSharedDisk":                testNoSharedDisk,
}
