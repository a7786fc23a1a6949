package blobtest

import (
	"context"
	"crypto/md5"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"outcrop.dev/outcrop"
)

// memory is outcrop.Objects in a map, the second implementation that the suite has.
type memory struct {
	mu      sync.Mutex
	objects map[string]object // of Bucket, by key
}

type object struct {
	outcrop.ObjectInfo
	body string
}

func newMemory(testing.TB) outcrop.Objects { return &memory{objects: map[string]object{}} }

func TestMemory(t *testing.T) {
	t.Parallel()
	Run(t, newMemory)
}

func (m *memory) HeadBucket(ctx context.Context, bucket string) error {
	if bucket != Bucket {
		return outcrop.Errorf(outcrop.CodeNotFound, "There is no bucket %s.", bucket)
	}
	return ctx.Err()
}

func (m *memory) find(ctx context.Context, bucket, key string) (object, error) {
	if err := m.HeadBucket(ctx, bucket); err != nil {
		return object{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.objects[key]
	if !ok {
		return o, outcrop.Errorf(outcrop.CodeNotFound, "There is no key %s.", key)
	}
	return o, nil
}

func (m *memory) Head(ctx context.Context, bucket, key string) (outcrop.ObjectInfo, error) {
	o, err := m.find(ctx, bucket, key)
	return o.ObjectInfo, err
}

func (m *memory) Get(ctx context.Context, bucket, key string) (io.ReadCloser, outcrop.ObjectInfo, error) {
	o, err := m.find(ctx, bucket, key)
	return io.NopCloser(strings.NewReader(o.body)), o.ObjectInfo, err
}

func (m *memory) Put(ctx context.Context, bucket, key, contentType string, r io.Reader) (outcrop.ObjectInfo, error) {
	if err := m.HeadBucket(ctx, bucket); err != nil {
		return outcrop.ObjectInfo{}, err
	}
	body, err := io.ReadAll(r)
	if err != nil {
		return outcrop.ObjectInfo{}, err
	}
	info := outcrop.ObjectInfo{
		Bucket: bucket, Key: key, Size: int64(len(body)), ETag: fmt.Sprintf(`"%x"`, md5.Sum(body)),
		ContentType: contentType, LastModified: time.Unix(1_700_000_000, 0),
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.objects[key] = object{info, string(body)}
	return info, nil
}

func (m *memory) Copy(ctx context.Context, fromBucket, fromKey, bucket, key string) (outcrop.ObjectInfo, error) {
	o, err := m.find(ctx, fromBucket, fromKey)
	if err != nil {
		return o.ObjectInfo, err
	}
	return m.Put(ctx, bucket, key, o.ContentType, strings.NewReader(o.body))
}

func (m *memory) Delete(ctx context.Context, bucket, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, key)
	return m.HeadBucket(ctx, bucket)
}

func (m *memory) List(ctx context.Context, bucket, prefix, startAfter string, limit int) ([]outcrop.ObjectInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var infos []outcrop.ObjectInfo
	for _, key := range slices.Sorted(maps.Keys(m.objects)) {
		if strings.HasPrefix(key, prefix) && key > startAfter && len(infos) < limit {
			infos = append(infos, m.objects[key].ObjectInfo)
		}
	}
	return infos, m.HeadBucket(ctx, bucket)
}

// broken is a memory whose fields, if not nil, stand in for its methods.
type broken struct {
	outcrop.Objects
	get    func(ctx context.Context, bucket, key string) (io.ReadCloser, outcrop.ObjectInfo, error)
	put    func(ctx context.Context, bucket, key, contentType string, r io.Reader) (outcrop.ObjectInfo, error)
	copied func(ctx context.Context, fromBucket, fromKey, bucket, key string) (outcrop.ObjectInfo, error)
	remove func(ctx context.Context, bucket, key string) error
	list   func(ctx context.Context, bucket, prefix, startAfter string, limit int) ([]outcrop.ObjectInfo, error)
}

func (b *broken) Get(ctx context.Context, bucket, key string) (io.ReadCloser, outcrop.ObjectInfo, error) {
	if b.get != nil {
		return b.get(ctx, bucket, key)
	}
	return b.Objects.Get(ctx, bucket, key)
}

func (b *broken) Copy(ctx context.Context, fromBucket, fromKey, bucket, key string) (outcrop.ObjectInfo, error) {
	if b.copied != nil {
		return b.copied(ctx, fromBucket, fromKey, bucket, key)
	}
	return b.Objects.Copy(ctx, fromBucket, fromKey, bucket, key)
}

func (b *broken) Put(ctx context.Context, bucket, key, contentType string, r io.Reader) (outcrop.ObjectInfo, error) {
	if b.put != nil {
		return b.put(ctx, bucket, key, contentType, r)
	}
	return b.Objects.Put(ctx, bucket, key, contentType, r)
}

func (b *broken) Delete(ctx context.Context, bucket, key string) error {
	if b.remove != nil {
		return b.remove(ctx, bucket, key)
	}
	return b.Objects.Delete(ctx, bucket, key)
}

func (b *broken) List(ctx context.Context, bucket, prefix, startAfter string, limit int) ([]outcrop.ObjectInfo, error) {
	if b.list != nil {
		return b.list(ctx, bucket, prefix, startAfter, limit)
	}
	return b.Objects.List(ctx, bucket, prefix, startAfter, limit)
}

// TestSuiteFails: every case finds what it is there to find.
func TestSuiteFails(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]struct {
		breaks func(b *broken)
		want   []string
	}{
		"nothing": {func(*broken) {}, nil},
		"unquoted tags": {func(b *broken) {
			b.put = func(ctx context.Context, bucket, key, contentType string, r io.Reader) (outcrop.ObjectInfo, error) {
				info, err := b.Objects.Put(ctx, bucket, key, contentType, r)
				info.ETag = strings.Trim(info.ETag, `"`)
				return info, err
			}
		}, []string{"ListDescribes", "WhatIsPutIsThere"}},
		"keys of any case": {func(b *broken) {
			b.put = func(ctx context.Context, bucket, key, contentType string, r io.Reader) (outcrop.ObjectInfo, error) {
				return b.Objects.Put(ctx, bucket, strings.ToLower(key), contentType, r)
			}
			b.get = func(ctx context.Context, bucket, key string) (io.ReadCloser, outcrop.ObjectInfo, error) {
				return b.Objects.Get(ctx, bucket, strings.ToLower(key))
			}
		}, []string{"KeysAreNoPaths", "ListByDefinition"}},
		"the first write wins": {func(b *broken) {
			b.put = func(ctx context.Context, bucket, key, contentType string, r io.Reader) (outcrop.ObjectInfo, error) {
				if info, err := b.Head(ctx, bucket, key); err == nil {
					return info, nil
				}
				return b.Objects.Put(ctx, bucket, key, contentType, r)
			}
		}, []string{"BodyFails", "Overwrite", "WhatIsPutIsThere"}},
		"half a body is kept": {func(b *broken) {
			b.put = func(ctx context.Context, bucket, key, contentType string, r io.Reader) (outcrop.ObjectInfo, error) {
				half, err := io.ReadAll(r)
				info, putErr := b.Objects.Put(ctx, bucket, key, contentType, strings.NewReader(string(half)))
				if err == nil {
					err = putErr
				}
				return info, err
			}
		}, []string{"BodyFails"}},
		"cut short": {func(b *broken) {
			b.get = func(ctx context.Context, bucket, key string) (io.ReadCloser, outcrop.ObjectInfo, error) {
				r, info, err := b.Objects.Get(ctx, bucket, key)
				return io.NopCloser(io.LimitReader(r, 2000)), info, err
			}
		}, []string{"WhatIsPutIsThere", "WholeOrNotAtAll"}},
		"nothing is missing": {func(b *broken) {
			b.get = func(ctx context.Context, bucket, key string) (io.ReadCloser, outcrop.ObjectInfo, error) {
				r, info, err := b.Objects.Get(ctx, bucket, key)
				if outcrop.CodeOf(err) == outcrop.CodeNotFound {
					err = nil
				}
				return r, info, err
			}
		}, []string{"Missing"}},
		"nothing is deleted": {func(b *broken) {
			b.remove = func(ctx context.Context, bucket, _ string) error { return b.HeadBucket(ctx, bucket) }
		}, []string{"Delete"}},
		"deletes what is not there": {func(b *broken) {
			b.remove = func(ctx context.Context, bucket, key string) error {
				if _, err := b.Head(ctx, bucket, key); err != nil {
					return err
				}
				return b.Objects.Delete(ctx, bucket, key)
			}
		}, []string{"Delete"}},
		"a page is one too long": {func(b *broken) {
			b.list = func(ctx context.Context, bucket, prefix, startAfter string, limit int) ([]outcrop.ObjectInfo, error) {
				return b.Objects.List(ctx, bucket, prefix, startAfter, limit+1)
			}
		}, []string{"ListByDefinition"}},
		"a copy has no content type": {func(b *broken) {
			b.copied = func(ctx context.Context, fromBucket, fromKey, bucket, key string) (outcrop.ObjectInfo, error) {
				r, _, err := b.Objects.Get(ctx, fromBucket, fromKey)
				if err != nil {
					return outcrop.ObjectInfo{}, err
				}
				return b.Objects.Put(ctx, bucket, key, "", r)
			}
		}, []string{"Copy"}},
		"deaf to its context": {func(b *broken) {
			b.put = func(ctx context.Context, bucket, key, contentType string, r io.Reader) (outcrop.ObjectInfo, error) {
				return b.Objects.Put(context.WithoutCancel(ctx), bucket, key, contentType, r)
			}
		}, []string{"CancelledContext"}},
		"reads what is there now": {func(b *broken) {
			b.get = func(ctx context.Context, bucket, key string) (io.ReadCloser, outcrop.ObjectInfo, error) {
				info, err := b.Head(ctx, bucket, key)
				return &late{b: b, key: key}, info, err
			}
		}, []string{"BytesOutliveTheirKey"}},
	} {
		got := cases.Failures(t, func(t testing.TB) outcrop.Objects {
			b := &broken{Objects: newMemory(t)}
			fault.breaks(b)
			return b
		})
		if !slices.Equal(got, fault.want) {
			t.Errorf("%s: %q fail, want %q", name, got, fault.want)
		}
	}
}

// late looks for its object when it is first read.
type late struct {
	b   *broken
	key string
	r   io.Reader
}

func (l *late) Read(p []byte) (int, error) {
	if l.r == nil {
		r, _, err := l.b.Objects.Get(context.Background(), Bucket, l.key)
		if err != nil {
			return 0, err
		}
		l.r = r
	}
	return l.r.Read(p)
}

func (l *late) Close() error { return nil }
