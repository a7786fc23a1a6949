package attempt

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"sync"
	"time"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/internal/pause"
)

// Put stores an artefact, whole, below the job's output prefix, and waits until it is on
// disk. It waits Patience for a server that is absent. CodeNotFound if the bucket is gone.
func (c *Client) Put(ctx context.Context, uri, contentType string, body io.ReadSeeker) error {
	defer c.Alive()
	size, err := body.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("put %s: %w", uri, err)
	}
	if size > artefactBytesMax {
		return outcrop.Errorf(outcrop.CodeValidation, "The artefact %s has %d bytes: the limit is %d.", uri, size, int64(artefactBytesMax))
	}
	return c.link.call(ctx, c.options.Patience, request{
		method: "PUT", path: "object", query: url.Values{"uri": {uri}}, contentType: contentType, size: size,
		body: func() (io.ReadSeeker, error) {
			_, err := body.Seek(0, io.SeekStart)
			return body, err
		},
	}, nil)
}

// PutLater stores an artefact without waiting: training must not stand still while the
// server restarts. Of several contents for one uri the newest is stored. content must not
// change afterwards. Flush waits for all of them.
func (c *Client) PutLater(uri, contentType string, content []byte) {
	c.uploads.add(uri, artefact{contentType: contentType, content: content})
}

// Flush waits until every artefact of PutLater is stored, and returns an error since the last
// Flush if there was one. One that a newer content for the same uri has made up for, such as
// a server that was away for long, is none.
func (c *Client) Flush(ctx context.Context) error { return c.uploads.flush(ctx) }

type artefact struct {
	contentType string
	content     []byte
}

// uploads is the queue of PutLater: at most one content for each uri.
type uploads struct {
	client *Client
	mu     sync.Mutex
	queue  map[string]artefact
	order  []string         // uris in queue, oldest first
	busy   bool             // one is being sent
	failed map[string]error // since the last flush, by uri: the newest content is not stored
	wake   pause.Bell       // rung when there is work
	idle   chan struct{}    // closed, and replaced, when the queue has run empty
}

func newUploads(c *Client) *uploads {
	return &uploads{client: c, queue: map[string]artefact{}, failed: map[string]error{}, wake: pause.NewBell(), idle: make(chan struct{})}
}

func (u *uploads) add(uri string, a artefact) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, waiting := u.queue[uri]; !waiting {
		u.order = append(u.order, uri)
	}
	u.queue[uri] = a
	u.wake.Ring()
}

// run sends what is queued until ctx ends.
func (u *uploads) run(ctx context.Context) {
	pause.Loop(ctx, u.wake, func(ctx context.Context) time.Duration {
		uri, a, ok := u.next()
		if !ok {
			return pause.UntilRung
		}
		u.done(uri, u.client.Put(ctx, uri, a.contentType, bytes.NewReader(a.content)))
		return 0
	})
}

// next takes the oldest, or says that there is none.
func (u *uploads) next() (uri string, a artefact, ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.order) == 0 {
		close(u.idle)
		u.idle = make(chan struct{})
		return "", artefact{}, false
	}
	uri = u.order[0]
	a = u.queue[uri]
	u.order = u.order[1:]
	delete(u.queue, uri)
	u.busy = true
	return uri, a, true
}

func (u *uploads) done(uri string, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.busy = false
	if err != nil {
		u.failed[uri] = err
	} else {
		delete(u.failed, uri)
	}
}

// failure returns the error of the first uri, in their order, that failed since the last
// call. u.mu is held.
func (u *uploads) failure() error {
	for _, uri := range slices.Sorted(maps.Keys(u.failed)) {
		err := u.failed[uri]
		clear(u.failed)
		return err
	}
	return nil
}

func (u *uploads) flush(ctx context.Context) error {
	for {
		u.mu.Lock()
		pending, idle := len(u.order) > 0 || u.busy, u.idle
		if !pending {
			err := u.failure()
			u.mu.Unlock()
			return err
		}
		u.mu.Unlock()
		select {
		case <-idle:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
