package cli

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progressLine shows how far a job is.
type progressLine interface {
	show(progress)
	close()
}

// newProgressLine returns a line that is redrawn if out is a terminal, else plain lines.
func newProgressLine(out io.Writer) progressLine {
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return &drawnLine{out: out}
	}
	return &plainLines{out: out, now: time.Now}
}

// plainInterval is the least time between two plain lines that only tell of another step.
const plainInterval = 2 * time.Second

// plainLines writes a line whenever there is news.
type plainLines struct {
	out     io.Writer
	now     func() time.Time
	last    progress
	written time.Time
}

func (l *plainLines) show(p progress) {
	if p.sameNews(l.last) || p.phase == l.last.phase && l.now().Sub(l.written) < plainInterval {
		return
	}
	l.last, l.written = p, l.now()
	steps := ""
	if p.Steps > 0 {
		steps = fmt.Sprintf("  step %d/%d", p.Step, p.Steps)
	}
	fmt.Fprintf(l.out, "%s%s%s\n", p.phase, steps, p.measures())
}

func (l *plainLines) close() {}

// barColumns is the width of the bar itself: what is left of 80 columns when the longest
// measures are beside it.
const barColumns = 10

// drawnLine redraws one line with a bar.
type drawnLine struct {
	out io.Writer
	bar *progressbar.ProgressBar
}

func (l *drawnLine) show(p progress) {
	if l.bar == nil {
		l.bar = progressbar.NewOptions(1, progressbar.OptionSetWriter(l.out), progressbar.OptionSetWidth(barColumns),
			progressbar.OptionSetPredictTime(false), progressbar.OptionSetElapsedTime(false), progressbar.OptionShowCount(),
			progressbar.OptionShowDescriptionAtLineEnd(), progressbar.OptionSetRenderBlankState(true))
	}
	l.bar.ChangeMax(max(p.Steps, 1))
	words := p.measures()
	if p.phase != "Training" {
		words = "  " + p.phase + words
	}
	l.bar.Describe(words)
	_ = l.bar.Set(min(p.Step, max(p.Steps, 1))) // an error only says that the bar is full
}

func (l *drawnLine) close() {
	if l.bar != nil {
		fmt.Fprintln(l.out)
	}
}
