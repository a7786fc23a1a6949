package disk

import (
	"context"
	"errors"
	"io"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/data/blob"
)

// Objects shows the store as jobs see it.
func (s *Store) Objects() outcrop.Objects { return objects{s} }

type objects struct{ s *Store }

var _ outcrop.Objects = objects{}

func (o objects) HeadBucket(ctx context.Context, bucket string) error {
	_, err := o.s.HeadBucket(ctx, bucket)
	return asOutcrop(err, bucket, "")
}

func (o objects) Head(ctx context.Context, bucket, key string) (outcrop.ObjectInfo, error) {
	info, err := o.s.Head(ctx, bucket, key)
	return asInfo(info), asOutcrop(err, bucket, key)
}

func (o objects) Get(ctx context.Context, bucket, key string) (io.ReadCloser, outcrop.ObjectInfo, error) {
	info, r, err := o.s.Open(ctx, bucket, key)
	return r, asInfo(info), asOutcrop(err, bucket, key)
}

func (o objects) Put(ctx context.Context, bucket, key, contentType string, r io.Reader) (outcrop.ObjectInfo, error) {
	in := blob.PutInput{Body: r}
	if contentType != "" {
		in.Headers = map[string]string{"Content-Type": contentType}
	}
	info, err := o.s.Put(ctx, bucket, key, in)
	return asInfo(info), asOutcrop(err, bucket, key)
}

// Copy implements outcrop.Objects. A bucket that is missing is made only if it is the system's.
func (o objects) Copy(ctx context.Context, fromBucket, fromKey, bucket, key string) (outcrop.ObjectInfo, error) {
	from := blob.Source{Bucket: fromBucket, Key: fromKey, Length: -1}
	in := blob.CopyInput{Attributes: func(from blob.Object) (blob.Attributes, error) { return from.Attributes, nil }}
	info, err := o.s.Copy(ctx, from, bucket, key, in)
	if bucket == outcrop.SystemBucket && errors.Is(err, blob.ErrNoSuchBucket) {
		if err := o.s.CreateBucket(ctx, bucket, nil); err != nil && !errors.Is(err, blob.ErrBucketExists) {
			return asInfo(info), asOutcrop(err, bucket, key)
		}
		info, err = o.s.Copy(ctx, from, bucket, key, in)
	}
	return asInfo(info), asOutcrop(err, fromBucket, fromKey)
}

func (o objects) Delete(ctx context.Context, bucket, key string) error {
	return asOutcrop(o.s.Delete(ctx, bucket, key, blob.Condition{}), bucket, key)
}

func (o objects) List(ctx context.Context, bucket, prefix, startAfter string, limit int) ([]outcrop.ObjectInfo, error) {
	page, err := o.s.ListObjects(ctx, bucket, blob.ObjectQuery{Prefix: prefix, After: startAfter, Max: limit})
	infos := make([]outcrop.ObjectInfo, len(page.Objects))
	for i, x := range page.Objects {
		infos[i] = asInfo(x)
	}
	return infos, asOutcrop(err, bucket, "")
}

func asInfo(o blob.Object) outcrop.ObjectInfo {
	return outcrop.ObjectInfo{
		Bucket: o.Bucket, Key: o.Key, Size: o.Size, ETag: `"` + o.ETag + `"`,
		ContentType: o.Headers["Content-Type"], LastModified: o.Modified,
	}
}

func asOutcrop(err error, bucket, key string) error {
	switch {
	case errors.Is(err, blob.ErrNoSuchBucket):
		return &outcrop.Error{Code: outcrop.CodeNotFound, Msg: "The bucket s3://" + bucket + " does not exist.", Err: err}
	case errors.Is(err, blob.ErrNoSuchKey):
		return &outcrop.Error{Code: outcrop.CodeNotFound, Msg: "The object s3://" + bucket + "/" + key + " does not exist.", Err: err}
	case errors.Is(err, blob.ErrNoSpace):
		msg := "The disk that holds the objects is full. Free some space and try again."
		if full, ok := errors.AsType[*blob.SpaceError](err); ok {
			msg = full.Says
		}
		return &outcrop.Error{Code: outcrop.CodeServiceUnavailable, Msg: msg, Err: err}
	case errors.Is(err, blob.ErrBusy):
		return &outcrop.Error{Code: outcrop.CodeServiceUnavailable, Msg: "Another program has the index of the objects locked. Try again.", Err: err}
	}
	return err
}
