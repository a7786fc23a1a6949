package disk

import (
	"context"
	"database/sql"
	"encoding/hex"
	"hash"
	"io"

	"outcrop.dev/outcrop/data/blob"
)

// Copy makes an object of another's bytes. The bytes are shared, not copied; they are read
// only if the copy needs a digest that the source does not have. Errors: ErrNoSuchBucket and
// ErrNoSuchKey of either place, ErrPrecondition, those of the checks in src and in.
func (s *Store) Copy(ctx context.Context, src blob.Source, bucket, key string, in blob.CopyInput) (blob.Object, error) {
	if err := requireBucket(ctx, s.db.Reader, bucket); err != nil {
		return blob.Object{}, err
	}
	from, r, err := s.openSource(ctx, src)
	if err != nil {
		return blob.Object{}, err
	}
	defer r.Close()
	to := blob.Object{Bucket: bucket, Key: key, Size: from.Size, ETag: from.ETag, Checksum: from.Checksum, Modified: s.now()}
	if to.ID, err = s.newID(); err != nil {
		return blob.Object{}, err
	}
	if to.Attributes, err = in.Attributes(from); err != nil {
		return blob.Object{}, err
	}
	if from.Parts > 0 || in.Algorithm != "" && in.Algorithm != from.Checksum.Algorithm {
		algorithm := in.Algorithm
		if algorithm == "" {
			algorithm = from.Checksum.Algorithm
		}
		d, err := digest(ctx, r, algorithm)
		if err != nil {
			return blob.Object{}, err
		}
		to.ETag = hex.EncodeToString(d.Sums[blob.MD5])
		to.Checksum = fullChecksum(algorithm, d)
	}
	return s.commitObject(ctx, to, r.pinned, in.Condition, false)
}

// UploadPartCopy makes a part of a range of an object's bytes, shared like those of Copy.
// Errors: those of UploadPart and Copy.
func (s *Store) UploadPartCopy(ctx context.Context, src blob.Source, bucket, key, id string, number int) (blob.Part, error) {
	up, err := s.FindUpload(ctx, bucket, key, id)
	if err != nil {
		return blob.Part{}, err
	}
	_, r, err := s.openSource(ctx, src)
	if err != nil {
		return blob.Part{}, err
	}
	defer r.Close()
	segments := r.pinned
	if src.Length >= 0 {
		r.Range(src.First, src.Length)
		segments = cut(r.pinned, src.First, src.Length)
	}
	a := up.EffectiveChecksum().Algorithm
	d, err := digest(ctx, r, a)
	if err != nil {
		return blob.Part{}, err
	}
	p := blob.Part{Number: number, Size: d.Size, ETag: hex.EncodeToString(d.Sums[blob.MD5]), Checksum: fullChecksum(a, d)}
	return s.commitPart(ctx, bucket, key, id, p, segments)
}

func (s *Store) openSource(ctx context.Context, src blob.Source) (blob.Object, *reader, error) {
	o, r, err := s.open(ctx, src.Bucket, src.Key)
	if err != nil {
		return o, nil, err
	}
	if src.Check != nil {
		if err := src.Check(o); err != nil {
			r.Close()
			return o, nil, err
		}
	}
	return o, r, nil
}

func fullChecksum(a blob.Algorithm, d blob.Digest) blob.Checksum {
	if a == "" {
		return blob.Checksum{}
	}
	return blob.Checksum{Algorithm: a, Type: blob.FullObject, Value: blob.Encode(d.Sums[a])}
}

// digest reads r to its end. The algorithm may be empty.
func digest(ctx context.Context, r io.Reader, a blob.Algorithm) (blob.Digest, error) {
	hashes := map[blob.Algorithm]hash.Hash{blob.MD5: blob.MD5.New()}
	if a != "" {
		hashes[a] = a.New()
	}
	var all []io.Writer
	for _, h := range hashes {
		all = append(all, h)
	}
	n, err := io.CopyBuffer(io.MultiWriter(all...), contextReader{ctx, r}, make([]byte, bufferBytes))
	d := blob.Digest{Size: n, Sums: map[blob.Algorithm][]byte{}}
	for a, h := range hashes {
		d.Sums[a] = h.Sum(nil)
	}
	return d, err
}

// commitPart puts a part in the place of one with the same number.
func (s *Store) commitPart(ctx context.Context, bucket, key, id string, p blob.Part, segments []segment) (blob.Part, error) {
	if p.Modified.IsZero() {
		p.Modified = s.now()
	}
	err := s.commit(ctx, segments, func(ctx context.Context, tx *sql.Tx) ([]string, error) {
		if _, err := findUpload(ctx, tx, bucket, key, id); err != nil {
			return nil, err
		}
		files, err := removePart(ctx, tx, id, p.Number)
		if err != nil {
			return nil, err
		}
		if err := insertPart(ctx, tx, id, p); err != nil {
			return nil, err
		}
		return files, insertSegments(ctx, tx, id, p.Number, segments)
	})
	if err != nil {
		return blob.Part{}, err
	}
	return p, nil
}
