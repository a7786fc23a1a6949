package cli

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"outcrop.dev/outcrop/models/hub"
)

// byteLine shows how far a download is: a bar that is redrawn on a terminal, else now and
// then a line. It may be shown from several goroutines.
type byteLine struct {
	out   io.Writer
	drawn bool

	mu      sync.Mutex
	bar     *progressbar.ProgressBar
	written time.Time
}

// byteInterval is the least time between two plain lines.
const byteInterval = 10 * time.Second

func newByteLine(out io.Writer) *byteLine {
	f, ok := out.(*os.File)
	return &byteLine{out: out, drawn: ok && term.IsTerminal(int(f.Fd())), written: time.Now()}
}

func (l *byteLine) show(p hub.Progress) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.drawn {
		if l.bar == nil {
			l.bar = progressbar.NewOptions64(p.Total, progressbar.OptionSetWriter(l.out), progressbar.OptionShowBytes(true),
				progressbar.OptionSetWidth(barColumns), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetRenderBlankState(true))
		}
		_ = l.bar.Set64(p.Done) // an error says that the bar is full
		return
	}
	if time.Since(l.written) < byteInterval {
		return
	}
	l.written = time.Now()
	fmt.Fprintf(l.out, "%s of %s\n", humanize.IBytes(uint64(max(p.Done, 0))), humanize.IBytes(uint64(p.Total)))
}

func (l *byteLine) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.bar != nil {
		fmt.Fprintln(l.out)
	}
}
