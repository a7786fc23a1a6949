package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"outcrop.dev/outcrop"
	"outcrop.dev/outcrop/internal/durable"
)

// Progress is how far a download is.
type Progress struct {
	Done, Total int64 // bytes; Done may fall when a file must be begun again
}

// partSuffix ends the name of a file that is not whole.
const partSuffix = ".part"

const (
	// filesAtOnce is how many files are transferred at the same time: enough to fill a line
	// whose single connections are slow, few enough not to run into limits of rate.
	filesAtOnce = 4
	// stallTimeout is how long a transfer may bring nothing before it is begun again.
	stallTimeout = time.Minute
)

// Download fills dir, which it makes, with the files of m, each checked. What an earlier call
// has left there is taken over: whole files as they are, parts from where they end. report,
// which may be nil, is called from several goroutines. The error says what cannot be had;
// what has come is kept for another call. One process at a time may fill a directory.
func (c *Client) Download(ctx context.Context, m Model, dir string, report func(Progress)) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	lock, err := lockDir(dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	d := &download{client: c, model: m, dir: dir, report: report, total: m.Bytes()}
	if err := d.checkDisk(); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(filesAtOnce)
	for _, f := range m.Files {
		group.Go(func() error {
			if err := d.file(ctx, f); err != nil {
				return c.explain(m.Name, f.Name, err)
			}
			return nil
		})
	}
	return group.Wait()
}

// lockDir keeps another process away from dir until the lock is closed.
func lockDir(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, outcrop.Errorf(outcrop.CodeConflict, "Another command is downloading the same model into %s: wait for it.", dir)
		}
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return f, nil
}

// download is one call of Download.
type download struct {
	client *Client
	model  Model
	dir    string
	report func(Progress)
	total  int64
	done   atomic.Int64
}

func (d *download) add(n int64) {
	done := d.done.Add(n)
	if d.report != nil {
		d.report(Progress{done, d.total})
	}
}

// checkDisk counts what is there, and says beforehand if there is no room for the rest.
func (d *download) checkDisk() error {
	have := int64(0)
	for _, f := range d.model.Files {
		for _, name := range []string{f.Name, f.Name + partSuffix} {
			if info, err := os.Stat(filepath.Join(d.dir, name)); err == nil {
				have += min(info.Size(), f.Size)
				break
			}
		}
	}
	free, err := durable.FreeDisk(d.dir)
	if err != nil {
		return err
	}
	if free < d.total-have+durable.DiskSpare {
		return outcrop.Errorf(outcrop.CodeQuotaExceeded, "There is no room for %s: %d MB are still to come, and %s has %d MB free, of which %d stay so.",
			d.model.Name, (d.total-have)>>20, d.dir, free>>20, durable.DiskSpare>>20)
	}
	return nil
}

// file makes one file whole.
func (d *download) file(ctx context.Context, f File) error {
	path := filepath.Join(d.dir, f.Name)
	if info, err := os.Stat(path); err == nil && info.Size() == f.Size {
		d.add(f.Size) // it has got its name after it was checked
		return nil
	}
	part, err := os.OpenFile(path+partSuffix, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer part.Close()
	at, err := part.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	p := &partFile{out: part, at: at, download: d}
	d.add(at)
	err = d.client.retry(ctx, func() (further bool, err error) {
		before := p.at
		err = p.fill(ctx, f)
		return p.at > before, err
	})
	if err != nil {
		return err
	}
	if err := part.Sync(); err != nil {
		return fmt.Errorf("fsync %s: %w", part.Name(), err)
	}
	return durable.Rename(part.Name(), path)
}

// partFile is a file that has its first at bytes.
type partFile struct {
	out      *os.File
	at       int64
	fresh    bool // all of it has come in this call
	download *download
}

// restart forgets what has come.
func (p *partFile) restart() error {
	p.download.add(-p.at)
	p.at = 0
	return p.out.Truncate(0)
}

// fill transfers what is missing and checks the whole.
func (p *partFile) fill(ctx context.Context, f File) error {
	if p.at > f.Size {
		if err := p.restart(); err != nil {
			return err
		}
	}
	if p.at < f.Size {
		if err := p.transfer(ctx, f); err != nil {
			return err
		}
	}
	err := p.verify(ctx, f)
	if err == nil || ctx.Err() != nil { // interrupted, it says nothing of the bytes
		return err
	}
	if p.fresh { // the hub itself has other bytes than it says
		err = &finalError{err}
	}
	return errors.Join(err, p.restart())
}

// transfer asks for the bytes from p.at on.
func (p *partFile) transfer(ctx context.Context, f File) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c, m := p.download.client, &p.download.model
	ask := http.Header{}
	if p.at > 0 {
		ask.Set("Range", fmt.Sprintf("bytes=%d-", p.at))
	}
	r, said, err := c.get(ctx, http.MethodGet, m.path(f.Name), ask)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if commit := said.Get("X-Repo-Commit"); commit != "" && commit != m.Commit {
		return &finalError{fmt.Errorf("it has come from commit %.40q, not from %s", commit, m.Commit)}
	}
	if err := p.answered(r, said, f); err != nil {
		return err
	}
	p.fresh = p.fresh || p.at == 0
	body := c.watch(r.Body, cancel)
	defer body.end()
	_, err = io.Copy(p, io.LimitReader(body, f.Size-p.at))
	if err != nil {
		return orCause(ctx, err)
	}
	if p.at < f.Size {
		return fmt.Errorf("the connection ended after %d of %d bytes", p.at, f.Size)
	}
	return nil
}

// answered makes what has come and what will come fit together.
func (p *partFile) answered(r *http.Response, said http.Header, f File) error {
	switch {
	case r.StatusCode == http.StatusPartialContent:
		var from int64
		if _, err := fmt.Sscanf(r.Header.Get("Content-Range"), "bytes %d-", &from); err != nil || from != p.at {
			return errors.Join(fmt.Errorf("asked for the bytes from %d on, it sends %q", p.at, r.Header.Get("Content-Range")), p.restart())
		}
		return nil
	case r.StatusCode == http.StatusOK && r.ContentLength >= 0 && r.ContentLength != f.Size:
		return fmt.Errorf("it has %d bytes, not %d", r.ContentLength, f.Size)
	case r.StatusCode == http.StatusOK && p.at > 0: // a server without ranges
		return p.restart()
	case r.StatusCode == http.StatusOK:
		return nil
	case r.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		return errors.Join(fmt.Errorf("it has no bytes from %d on", p.at), p.restart())
	}
	return newStatusError(r.StatusCode, said)
}

// Write appends. It keeps the bytes that were written before an error.
func (p *partFile) Write(b []byte) (int, error) {
	n, err := p.out.WriteAt(b, p.at)
	p.at += int64(n)
	p.download.add(int64(n))
	if err != nil {
		err = &finalError{err} // a full disk is not mended by asking again
	}
	return n, err
}

// watched puts off an alarm whenever something has been read.
type watched struct {
	r     io.Reader
	stop  func() bool
	again func() func() bool
}

// watch reads an answer's body, and calls cancel, of the request's context, when nothing has come
// for stallTimeout. The caller calls end.
func (c *Client) watch(body io.Reader, cancel context.CancelCauseFunc) *watched {
	again := func() func() bool {
		return c.AfterFunc(stallTimeout, func() { cancel(fmt.Errorf("nothing has come for %s", stallTimeout)) })
	}
	return &watched{r: body, stop: again(), again: again}
}

// orCause is why ctx was cancelled, if it was by watch, else err.
func orCause(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.r.Read(b)
	w.stop()
	w.stop = w.again()
	return n, err
}

func (w *watched) end() { w.stop() }
