package work

import (
	"context"
	"time"

	"outcrop.dev/outcrop"
)

// Kind is what the supervisor knows of one sort of work: which records have some to be done, and
// who does it. Processes makes one of Rules, for work that is done by processes of its own.
type Kind interface {
	// Noun is the kind of the records that are worked on.
	Noun() outcrop.Kind
	// Live lists the statuses in which somebody has to work on a record.
	Live() []outcrop.Status
	// Claims lists those of Live in which one more record can be taken on at the moment.
	Claims() []outcrop.Status
	// Take begins to work on a record whose lease is this server's. It does not wait.
	Take(h *Hold, rec outcrop.Record) Task
}

// Runner is a Kind that has more to do than one record after the other.
type Runner interface {
	// Run is called once. It returns when ctx ends, or with an error if it cannot begin.
	Run(ctx context.Context) error
	// Notify says that a record was written. It never waits.
	Notify()
}

// Task is the work on one record, while the lease on it is held.
type Task interface {
	// Step looks at the record, does the next thing, and says after how long it wants to look
	// again; the hold's Bell wakes it sooner. ErrEnded says that there is nothing more to do; any
	// other error is logged, and the step tried again.
	Step(ctx context.Context) (wait time.Duration, err error)
	// Leave gives back what Take took. Nobody works on the record here any more: it has ended, the
	// lease is lost, or the server ends.
	Leave()
}

// Noun is a durable noun that processes work on, such as *outcrop.Job: a struct with an
// outcrop.Meta and an outcrop.Work in it has the first two methods.
type Noun interface {
	Head() *outcrop.Meta
	Worked() *outcrop.Work
	Record() outcrop.Record
}
