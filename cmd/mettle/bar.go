package main

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/mettle-go/mettle/fetch"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

const redrawEvery = 100 * time.Millisecond

// A bar is the view for a terminal: one line, drawn again and again, that leaves only the summary behind.
type bar struct {
	w    io.Writer
	pool *mpb.Progress
	line *mpb.Bar
	now  atomic.Pointer[moment] // what to draw
}

type moment struct {
	counts fetch.Counts
	took   time.Duration
}

func newBar(w io.Writer, opts ...mpb.ContainerOption) *bar {
	b := &bar{w: w}
	b.now.Store(new(moment))
	b.pool = mpb.New(append([]mpb.ContainerOption{mpb.WithOutput(w), mpb.WithRefreshRate(redrawEvery)}, opts...)...)
	b.line = b.pool.AddBar(0,
		// The terminal may have put a ^C below the line, and with it the cursor two columns to the right. From there the line would
		// be drawn across the edge of the terminal, and its first half would stay.
		mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return "\r" + b.now.Load().share() })),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return b.now.Load().numbers() })),
	)
	return b
}

// share is the part of the run that is done, once that is known.
func (m *moment) share() string {
	if c := m.counts; c.AllRead && c.Read > 0 {
		return fmt.Sprintf("%3d%%", 100*c.Done()/c.Read)
	}
	return "  ?%"
}

func (m *moment) numbers() string {
	c := m.counts
	of := number(c.Read)
	if !c.AllRead {
		of += "+"
	}
	s := fmt.Sprintf("%s of %s, %s failed, %s active", number(c.Done()), of, number(c.Failed), number(c.Running))
	if c.Resting > 0 {
		s += ", " + plural(c.Resting, "host") + " resting"
	}
	return s + fmt.Sprintf(" %d:%02d", int(m.took.Minutes()), int(m.took.Seconds())%60)
}

func (b *bar) period() time.Duration { return redrawEvery }

func (b *bar) show(c fetch.Counts, took time.Duration) {
	b.now.Store(&moment{c, took})
	if c.AllRead {
		// The bar must not take itself for complete: it goes when the run does.
		b.line.SetTotal(c.Read+1, false)
		b.line.SetCurrent(c.Done())
	}
}

func (b *bar) stopping(c fetch.Counts, grace time.Duration) {
	notice := "\r" + stopNotice(c, grace)
	if _, err := io.WriteString(b.pool, notice); err != nil { // the bar is gone
		io.WriteString(b.w, notice)
	}
}

func (b *bar) end(c fetch.Counts, took time.Duration) {
	b.line.Abort(true)
	b.pool.Wait()
	fmt.Fprintf(b.w, "\rmettle: %s\n", summary(c, took))
}
