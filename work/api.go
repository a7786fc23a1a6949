package work

import (
	"context"
	"encoding/json"
	"errors"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/internal/rows"
	"outcrop.dev/outcrop/work/attempt"
)

// current returns the record that id is the present attempt of, with its kind, or
// attempt.ErrFenced.
func (a *Attempts) current(ctx context.Context, id attempt.ID) (outcrop.Record, processes, error) {
	rec, err := a.store.Get(ctx, outcrop.Key{ARN: id.Job})
	if outcrop.CodeOf(err) == outcrop.CodeNotFound {
		return rec, nil, attempt.ErrFenced
	}
	if err != nil {
		return rec, nil, err
	}
	k := a.kinds[rec.Kind]
	if k == nil {
		return rec, nil, errNoKind
	}
	n, err := k.read(rec)
	if err == nil && !isCurrent(n, id) {
		err = attempt.ErrFenced
	}
	return rec, k, err
}

// isCurrent reports whether id is the present attempt of n.
func isCurrent(n Noun, id attempt.ID) bool {
	return !ended(n) && n.Worked().Attempt.Number == id.Number
}

// Spec implements attempt.Jobs.
func (a *Attempts) Spec(ctx context.Context, id attempt.ID) (attempt.Spec, error) {
	rec, k, err := a.current(ctx, id)
	if err != nil {
		return attempt.Spec{}, err
	}
	return k.spec(ctx, rec)
}

// Grant implements attempt.Jobs.
func (a *Attempts) Grant(ctx context.Context, id attempt.ID) (attempt.Grant, error) {
	rec, k, err := a.current(ctx, id)
	if err != nil {
		return attempt.Grant{}, err
	}
	return k.grant(rec)
}

// Beat implements attempt.Jobs. A heartbeat that comes before this server has taken its
// record up again is answered, and its progress comes with the next one.
func (a *Attempts) Beat(ctx context.Context, id attempt.ID, h attempt.Heartbeat) (attempt.Reply, error) {
	rec, k, err := a.current(ctx, id)
	if err != nil {
		return attempt.Reply{}, err
	}
	reply := attempt.Reply{Command: attempt.CommandRun, Base: k.base(ctx, rec)}
	if l := a.listener(id.Job); l != nil && l.beat(h) {
		reply.Command = attempt.CommandStacks
	}
	if rec.Status == outcrop.JobStopping {
		reply.Command = attempt.CommandStop
	}
	return reply, nil
}

// Finish implements attempt.Jobs. The result is in the record from then on, where the watch finds
// it, this server's or another's. A result that comes again is the same one.
func (a *Attempts) Finish(ctx context.Context, id attempt.ID, res attempt.Result) error {
	said, err := json.Marshal(res)
	if err != nil {
		return err
	}
	err = rows.Edit(ctx, a.store, outcrop.Key{ARN: id.Job}, func(rec outcrop.Record) ([]outcrop.Change, error) {
		k := a.kinds[rec.Kind]
		if k == nil {
			return nil, errNoKind
		}
		n, err := k.read(rec)
		if err != nil {
			return nil, err
		}
		if !isCurrent(n, id) {
			return nil, attempt.ErrFenced
		}
		n.Worked().Attempt.Result = said
		n.Head().Lease = outcrop.Lease{} // the worker's word counts, whichever server holds the lease
		return []outcrop.Change{{Op: outcrop.OpUpdate, Record: n.Record()}}, nil
	})
	if outcrop.CodeOf(err) == outcrop.CodeNotFound && !errors.Is(err, attempt.ErrFenced) {
		return attempt.ErrFenced
	}
	if err != nil {
		return err
	}
	if l := a.listener(id.Job); l != nil {
		l.look()
	}
	return nil
}
