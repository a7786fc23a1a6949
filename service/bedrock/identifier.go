package bedrock

import (
	"context"
	"errors"
	"strings"

	"outcrop.dev/outcrop"
)

// kindNames are the kinds as messages call them.
var kindNames = map[outcrop.Kind]string{
	outcrop.KindJob:         "model customization job",
	outcrop.KindCustomModel: "custom model",
	outcrop.KindThroughput:  "provisioned model throughput",
}

// find returns the record that an identifier names: a name, an id, an ARN, or an ARN with a
// name where the id belongs. CodeNotFound if there is none in the caller's account and
// region; resources of others are not told from missing ones.
func (s *Service) find(ctx context.Context, kind outcrop.Kind, sc outcrop.Scope, identifier string) (outcrop.Record, error) {
	key := outcrop.KeyFor(kind, sc, identifier)
	if key.Kind != kind || key.Scope != sc {
		return outcrop.Record{}, missing(kind, sc, identifier)
	}
	rec, err := s.store.Get(ctx, key)
	if outcrop.CodeOf(err) == outcrop.CodeNotFound || err == nil && !names(identifier, rec.Meta) {
		return outcrop.Record{}, missing(kind, sc, identifier)
	}
	return rec, err
}

// get returns the noun that an identifier names for the caller, as of reads it.
func get[N any](ctx context.Context, s *Service, kind outcrop.Kind, identifier string, of func(outcrop.Record) (*N, error)) (*N, error) {
	sc, err := scope(ctx)
	if err != nil {
		return nil, err
	}
	rec, err := s.find(ctx, kind, sc, identifier)
	if err != nil {
		return nil, err
	}
	return of(rec)
}

// names reports whether identifier, by which m was found, agrees with m in full: an ARN with
// the right id behind another base model is not m's.
func names(identifier string, m outcrop.Meta) bool {
	p, ok := outcrop.ParseARN(identifier)
	return !ok || identifier == string(m.ARN) || p.Resource == m.Name || p.Resource == m.ID
}

func missing(kind outcrop.Kind, sc outcrop.Scope, identifier string) error {
	return outcrop.Errorf(outcrop.CodeNotFound, "The %s %s does not exist in account %s, region %s. Check its name or ARN and the region.",
		kindNames[kind], identifier, sc.Account, sc.Region)
}

// changeTriesMax bounds how often edit starts again. Workers write a job's row every few
// seconds, so that even two collisions in a row are rare.
const changeTriesMax = 20

// change finds a record, lets f change it and writes it back.
func (s *Service) change(ctx context.Context, kind outcrop.Kind, sc outcrop.Scope, identifier string, f func(*outcrop.Record) error) error {
	return s.edit(ctx, outcrop.OpUpdate, kind, sc, identifier, f)
}

// remove finds a record and deletes it if f has no objection.
func (s *Service) remove(ctx context.Context, kind outcrop.Kind, sc outcrop.Scope, identifier string, f func(*outcrop.Record) error) error {
	return s.edit(ctx, outcrop.OpDelete, kind, sc, identifier, f)
}

// edit updates or deletes a record. When another write came between, it starts again with
// what that left.
func (s *Service) edit(ctx context.Context, op outcrop.Op, kind outcrop.Kind, sc outcrop.Scope, identifier string, f func(*outcrop.Record) error) error {
	var err error
	for range changeTriesMax {
		var rec outcrop.Record
		if rec, err = s.find(ctx, kind, sc, identifier); err != nil {
			return err
		}
		if err = f(&rec); err != nil {
			return err
		}
		rec.Lease = outcrop.Lease{} // whoever works on it does not keep its owner from changing it
		if err = s.store.Apply(ctx, outcrop.Change{Op: op, Record: rec}); !errors.Is(err, outcrop.ErrStale) {
			return err
		}
	}
	return &outcrop.Error{Code: outcrop.CodeThrottling, Msg: "The resource is being changed too often to change it now. Try again.", Err: err}
}

// baseName returns a model id without its suffixes: amazon.titan-text-express-v1 of
// amazon.titan-text-express-v1:0:8k.
func baseName(id string) string {
	name, _, _ := strings.Cut(id, ":")
	return name
}
