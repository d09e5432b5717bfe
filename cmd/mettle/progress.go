package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/mettle-go/mettle/fetch"
)

// The kinds of progress.
const (
	progressAuto  = "auto"
	progressBar   = "bar"
	progressPlain = "plain"
	progressJSON  = "json"
	progressNone  = "none"
)

// A view shows a run on stderr. Its methods are not called at the same time as each other.
type view interface {
	period() time.Duration // between two calls of show; 0: none
	show(m moment)
	status(m moment) // somebody asks now
	stopping(c fetch.Counts, grace time.Duration, s syscall.Signal)
	end(c fetch.Counts, took time.Duration, began bool) // the last call; what never began needs no summary
}

// newView returns the view of that kind. A bar needs a terminal that can move its cursor, and that it does not share with results or
// with a person who types: it would overwrite them. Results that go into a pipe may well end there, as in mettle fetch | jq: only who
// asks for a bar gets one.
func newView(kind string, stderr io.Writer, shared, piped bool) view {
	switch {
	case kind == progressAuto && piped:
		return plainView{quietView{stderr}}
	case kind == progressJSON:
		return &jsonView{w: stderr}
	case kind == progressNone:
		return quietView{stderr}
	case kind == progressPlain, shared, !isTerminal(stderr), os.Getenv("TERM") == "dumb":
		return plainView{quietView{stderr}}
	}
	return newBar(stderr)
}

// A monitor keeps a view up to date with a run, from a goroutine of its own.
type monitor struct {
	view   view
	counts func() fetch.Counts
	begun  time.Time
	mu     sync.Mutex // around calls of view, and pace
	pace   pace
	halted bool // what is left is for another run
	over   chan struct{}
	done   sync.WaitGroup
}

// newMonitor starts to show the counts. Whatever the view, it shows them when a value comes from asked, which may be nil.
func newMonitor(v view, counts func() fetch.Counts, asked <-chan os.Signal) *monitor {
	m := &monitor{view: v, counts: counts, begun: time.Now(), over: make(chan struct{})}
	m.done.Go(func() {
		var due <-chan time.Time
		if every := v.period(); every > 0 {
			tick := time.NewTicker(every)
			defer tick.Stop()
			due = tick.C
		}
		for {
			select {
			case <-due:
				m.with(func() { v.show(m.moment()) })
			case <-asked:
				m.with(func() { v.status(m.moment()) })
			case <-m.over:
				return
			}
		}
	})
	return m
}

func (m *monitor) with(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

// moment is how things stand now.
func (m *monitor) moment() moment {
	now := m.pace.at(m.counts(), time.Since(m.begun))
	if m.halted {
		now.left = 0
	}
	return now
}

// stopping says that the run is about to end early, because of that signal.
func (m *monitor) stopping(grace time.Duration, s syscall.Signal) {
	m.with(func() {
		m.halted = true
		m.view.stopping(m.counts(), grace, s)
	})
}

// close shows the final counts of a run, unless it failed before it began.
func (m *monitor) close(c fetch.Counts, began bool) {
	close(m.over)
	m.done.Wait()
	m.with(func() { m.view.end(c, time.Since(m.begun), began) })
}

// quietView says only what follows from something that the user did.
type quietView struct{ w io.Writer }

func (v quietView) period() time.Duration                 { return 0 }
func (v quietView) show(moment)                           {}
func (v quietView) end(fetch.Counts, time.Duration, bool) {}
func (v quietView) status(m moment)                       { fmt.Fprintf(v.w, "mettle: %s\n", statusLine(m)) }
func (v quietView) stopping(c fetch.Counts, grace time.Duration, s syscall.Signal) {
	io.WriteString(v.w, stopNotice(c, grace, s))
}

// plainView writes a line from time to time, for logs.
type plainView struct{ quietView }

func (v plainView) period() time.Duration { return 5 * time.Second }
func (v plainView) show(m moment)         { v.status(m) }
func (v plainView) end(c fetch.Counts, took time.Duration, began bool) {
	if began {
		fmt.Fprintf(v.w, "mettle: %s\n", summary(c, took))
	}
}

// jsonView writes an object a second, for programs.
type jsonView struct {
	w       io.Writer
	stopped bool // by a signal
}

func (v *jsonView) period() time.Duration                                { return time.Second }
func (v *jsonView) show(m moment)                                        { v.write(m.counts, m.took, false) }
func (v *jsonView) status(m moment)                                      { v.show(m) }
func (v *jsonView) end(c fetch.Counts, took time.Duration, _ bool)       { v.write(c, took, true) }
func (v *jsonView) stopping(fetch.Counts, time.Duration, syscall.Signal) { v.stopped = true }

func (v *jsonView) write(c fetch.Counts, took time.Duration, final bool) {
	json.NewEncoder(v.w).Encode(struct { // nobody is there to hear of an error on stderr
		ElapsedMS int64                `json:"elapsed_ms"`
		Read      int64                `json:"read"`
		Before    int64                `json:"before"`
		AllRead   bool                 `json:"all_read"`
		OK        int64                `json:"ok"`
		Failed    int64                `json:"failed"`
		Left      int64                `json:"left"`
		Kinds     map[fetch.Kind]int64 `json:"kinds"`
		Attempts  int64                `json:"attempts"`
		Bytes     int64                `json:"bytes"`
		Running   int64                `json:"running"`
		Waiting   int64                `json:"waiting"`
		Resting   int64                `json:"resting"`
		Offline   bool                 `json:"offline"`
		Stopping  bool                 `json:"stopping"`
		Final     bool                 `json:"final"`
	}{
		took.Milliseconds(), c.Read, c.Before, c.AllRead, c.OK, c.Failed, c.Left(), c.Kinds, c.Attempts, c.Bytes,
		c.Running, c.Waiting, c.Resting, c.Offline, v.stopped, final,
	})
}
