package main

import (
	"fmt"
	"io"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/mettle-go/mettle/fetch"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

const redrawEvery = 100 * time.Millisecond

// A bar is the view for a terminal: one line, drawn again and again, that leaves only the summary behind.
type bar struct {
	w     io.Writer
	pool  *mpb.Progress
	line  *mpb.Bar
	now   atomic.Pointer[moment] // what to draw
	drawn atomic.Int64           // the columns of the line that is on the screen; 0: there is none, or not right above
}

func newBar(w io.Writer, opts ...mpb.ContainerOption) *bar {
	b := &bar{w: w}
	b.now.Store(new(moment))
	b.pool = mpb.New(append([]mpb.ContainerOption{mpb.WithOutput(w), mpb.WithRefreshRate(redrawEvery)}, opts...)...)
	b.line = b.pool.MustAdd(0, mpb.BarFillerFunc(b.fill), mpb.BarFillerTrim())
	return b
}

// fill writes the line. What went before it has taken back one row.
func (b *bar) fill(w io.Writer, stat decor.Statistics) error {
	// The terminal may have put a ^C below the line, and with it the cursor two columns to the right. From there the line would
	// be drawn across the edge of the terminal, and its first half would stay.
	s := "\r"
	if was := int(b.drawn.Load()); stat.AvailableWidth > 0 && was > stat.AvailableWidth {
		// The window was made narrower than the line on it, which now takes more rows than one.
		s += "\x1b[" + strconv.Itoa((was-1)/stat.AvailableWidth) + "A\x1b[J"
	}
	line := b.now.Load().line(stat.AvailableWidth)
	b.drawn.Store(int64(len(line)))
	_, err := io.WriteString(w, s+line)
	return err
}

func (b *bar) period() time.Duration { return redrawEvery }

func (b *bar) show(m moment) { b.now.Store(&m) }

func (b *bar) status(m moment) { b.above("mettle: " + statusLine(m) + "\n") }

func (b *bar) stopping(c fetch.Counts, grace time.Duration, s syscall.Signal) {
	b.above(stopNotice(c, grace, s))
}

// above writes lines above the bar.
func (b *bar) above(lines string) {
	b.drawn.Store(0)                                              // it comes between
	if _, err := io.WriteString(b.pool, "\r"+lines); err != nil { // the bar is gone
		io.WriteString(b.w, "\r"+lines)
	}
}

func (b *bar) end(c fetch.Counts, took time.Duration, began bool) {
	b.line.Abort(true)
	b.pool.Wait()
	io.WriteString(b.w, "\r")
	if began {
		fmt.Fprintf(b.w, "mettle: %s\n", summary(c, took))
	}
}
