package disk

import (
	"context"
	"database/sql"
	"errors"

	"outcrop.dev/outcrop/data/blob"
)

// partsMax is S3's limit on the parts of an upload.
const partsMax = 10_000

// CompleteUpload makes an object of the named parts and forgets the others. No byte is
// copied. Asked again, it gives the same answer, as long as the object is there: clients
// repeat the request when they miss the answer. Errors: ErrNoSuchBucket, ErrNoSuchUpload,
// *PartError, ErrPartOrder, ErrNoParts, ErrPrecondition, ErrNoSuchKey (If-Match on nothing),
// those of in.Accept.
func (s *Store) CompleteUpload(ctx context.Context, bucket, key, id string, in blob.CompleteInput) (o blob.Object, err error) {
	noted := false
	err = s.commit(ctx, nil, func(ctx context.Context, tx *sql.Tx) (junk []string, err error) {
		up, err := findUpload(ctx, tx, bucket, key, id)
		if errors.Is(err, blob.ErrNoSuchUpload) {
			old, findErr := findObject(ctx, tx, bucket, key)
			if findErr == nil && old.ID == id {
				o = old
				return nil, nil
			}
		}
		if err != nil {
			return nil, err
		}
		have, err := findParts(ctx, tx, id, 0, partsMax)
		if err != nil {
			return nil, err
		}
		chosen, err := choose(up, have, in)
		if err != nil {
			return nil, err
		}
		if o, err = s.assemble(up, chosen); err != nil {
			return nil, err
		}
		if in.Accept != nil {
			if err := in.Accept(o); err != nil {
				return nil, err
			}
		}
		junk, err = s.completeRows(ctx, tx, o, have, chosen, in.Condition)
		noted = err == nil
		return junk, err
	})
	if err != nil && noted {
		s.junk.add(noteOf + id)
	}
	return o, err
}

// choose picks the named parts out of those there are.
func choose(up blob.Upload, have []blob.Part, in blob.CompleteInput) ([]blob.Part, error) {
	if len(in.Parts) == 0 {
		return nil, blob.ErrNoParts
	}
	for i := 1; i < len(in.Parts); i++ {
		if in.Parts[i].Number <= in.Parts[i-1].Number {
			return nil, blob.ErrPartOrder
		}
	}
	byNumber := make(map[int]blob.Part, len(have))
	for _, p := range have {
		byNumber[p.Number] = p
	}
	chosen := make([]blob.Part, len(in.Parts))
	for i, want := range in.Parts {
		p, ok := byNumber[want.Number]
		if !ok || p.ETag != want.ETag || !sameChecksum(up, want.Checksum, p.Checksum) {
			return nil, &blob.PartError{Number: want.Number, ETag: want.ETag}
		}
		if i < len(in.Parts)-1 && p.Size < in.PartMin {
			return nil, &blob.PartError{Number: p.Number, ETag: p.ETag, Size: p.Size, Min: in.PartMin}
		}
		chosen[i] = p
	}
	return chosen, nil
}

// sameChecksum compares what the client says of a part, unless it never said which checksum
// the upload shall have: then ours need not be the one it knows.
func sameChecksum(up blob.Upload, want, have blob.Checksum) bool {
	return want.Value == "" || up.Checksum.Algorithm == "" || want == have
}

// assemble describes the object that parts make.
func (s *Store) assemble(up blob.Upload, parts []blob.Part) (o blob.Object, err error) {
	o = blob.Object{Bucket: up.Bucket, Key: up.Key, ID: up.ID, Modified: s.now(), Parts: len(parts), Attributes: up.Attributes}
	for _, p := range parts {
		o.Size += p.Size
	}
	if o.ETag, err = blob.JoinETags(parts); err != nil {
		return o, err
	}
	o.Checksum, _ = blob.JoinChecksums(up.EffectiveChecksum(), parts)
	return o, nil
}

func (s *Store) completeRows(ctx context.Context, tx *sql.Tx, o blob.Object, have, chosen []blob.Part, c blob.Condition) (junk []string, err error) {
	keep := make(map[int]bool, len(chosen))
	for _, p := range chosen {
		keep[p.Number] = true
	}
	for _, p := range have {
		if keep[p.Number] {
			continue
		}
		files, err := removePart(ctx, tx, o.ID, p.Number)
		if err != nil {
			return nil, err
		}
		junk = append(junk, files...)
	}
	if err := deleteUpload(ctx, tx, o.Bucket, o.Key, o.ID); err != nil {
		return nil, err
	}
	files, err := replaceObject(ctx, tx, o, c)
	if err != nil {
		return nil, err
	}
	return append(junk, files...), s.noteObject(ctx, tx, o)
}
