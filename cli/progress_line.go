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

// drawnLine redraws one line: a bar, or while the number of steps is not known a spinner.
type drawnLine struct {
	out io.Writer
	max int // of the bar; unknownSteps for a spinner
	bar *progressbar.ProgressBar
}

// unknownSteps makes the library draw a spinner.
const unknownSteps = -1

func (l *drawnLine) show(p progress) {
	steps := p.Steps
	if steps == 0 {
		steps = unknownSteps
	}
	if l.bar == nil || l.max != steps {
		l.clear()
		l.max, l.bar = steps, l.newBar(steps)
	}
	words := p.measures()
	if p.phase != "Training" {
		words = "  " + p.phase + words
	}
	l.bar.Describe(words)
	_ = l.bar.Set(p.Step) // an error says that the bar is full
}

func (l *drawnLine) newBar(steps int) *progressbar.ProgressBar {
	options := []progressbar.Option{
		progressbar.OptionSetWriter(l.out), progressbar.OptionSetWidth(barColumns), progressbar.OptionSetPredictTime(false),
		progressbar.OptionSetElapsedTime(false), progressbar.OptionSetRenderBlankState(true),
		progressbar.OptionSetSpinnerChangeInterval(0), // it turns when there is an answer, not by a clock of its own
	}
	if steps != unknownSteps {
		options = append(options, progressbar.OptionShowCount(), progressbar.OptionShowDescriptionAtLineEnd())
	}
	return progressbar.NewOptions(steps, options...)
}

// clear takes a line away that another will take the place of.
func (l *drawnLine) clear() {
	if l.bar != nil {
		_ = l.bar.Clear() // a terminal that cannot be written to shows nothing anyway
	}
}

func (l *drawnLine) close() {
	if l.bar != nil {
		fmt.Fprintln(l.out)
	}
}
