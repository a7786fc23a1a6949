package cli

import (
	"context"
	"fmt"

	"outcrop.dev/outcrop"
	engine "outcrop.dev/outcrop/engine/customize"
	"outcrop.dev/outcrop/work"
	"outcrop.dev/outcrop/work/attempt"
	"outcrop.dev/outcrop/work/customize"
)

// process is a kind of work that processes do, with both of its ends.
type process struct {
	noun outcrop.Kind
	kind func(work.Site) work.Kind // by which the server supervises it
	run  run                       // what a worker's process does
}

// run does the work of one attempt, as engine/customize.Run does a job's.
type run func(context.Context, engine.Attempt, attempt.Spec, engine.Options) (outcrop.Progress, error)

// processes are the kinds of work that processes do. One more is one line.
var processes = []process{
	{outcrop.KindJob, customize.Kind(engine.BaseDigest), engine.Run},
}

// processKinds are the ends that the server supervises.
func processKinds() (kinds []func(work.Site) work.Kind) {
	for _, p := range processes {
		kinds = append(kinds, p.kind)
	}
	return kinds
}

// runProcess does, in a worker's process, what the spec of an attempt asks for. The kind of the record
// says who does it. Errors are those of the kind; one for a kind that no process works on.
func runProcess(ctx context.Context, a engine.Attempt, spec attempt.Spec, o engine.Options) (outcrop.Progress, error) {
	p, _ := outcrop.ParseARN(string(spec.JobARN))
	for _, known := range processes {
		if known.noun == p.Kind {
			return known.run(ctx, a, spec, o)
		}
	}
	return outcrop.Progress{}, fmt.Errorf("no process works on %s", p.Kind.ANoun())
}
