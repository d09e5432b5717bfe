package fetch

import (
	"time"

	"github.com/mettle-go/mettle/internal/clock"
)

const (
	// backAtOnce is how many items a host gets back from the file at a time.
	backAtOnce = 256
	// shareOfWindow is the part of the window that such a host may have.
	shareOfWindow = 16
	// lookEvery bounds how often all hosts are looked at, and is how often requests that wait for their hedge are.
	lookEvery = 100 * time.Millisecond
	// futileWindows is how many windows of items are read on to find one for a host that is not behind already. It bounds the file where
	// there is none to find.
	futileWindows = 10
)

// keep is how many of its items a host has in memory in any case.
func (f *run) keep() int { return max(16, 2*f.cfg.PerHost) }

// away is how many items of h are in the file.
func (h *host) away() int {
	if h.spilled == nil {
		return 0
	}
	return h.spilled.len
}

// full reports whether no more input should be read. Where that would leave room for requests unused, it makes room in memory instead.
func (f *run) full(now clock.Instant) (bool, error) {
	f.wakeAt = never
	if f.futile/futileWindows >= f.cfg.Window { // so that nothing overflows
		return true, nil
	}
	if f.pending < f.cfg.Window {
		return false, nil
	}
	starving := f.room() && f.ready.len == 0 && f.in != nil && !f.stopped
	if !starving {
		return true, nil
	}
	if now < f.spillAt {
		f.wakeAt = f.spillAt
		return true, nil
	}
	f.spillAt = now.Add(lookEvery)
	for _, h := range f.hosts {
		if h.queue.len > f.keep() && h.away() == 0 {
			if err := f.thin(h); err != nil {
				return true, err
			}
		}
	}
	f.wakeAt = f.spillAt
	return f.pending >= f.cfg.Window, nil
}

// thin sends the items of h to the file, but for the first ones, those that were tried already, and those that may find
// a mirror.
func (f *run) thin(h *host) error {
	kept := 0
	for range h.queue.len {
		t := h.pop()
		if fresh := len(t.attempts) == 0 && t.next == nil && t.part == nil && t.route == nil; !fresh || kept < f.keep() {
			kept++
			h.push(t)
			continue
		}
		f.leave(t)
		f.pending--
		if err := f.send(h, t.item); err != nil {
			return err
		}
	}
	f.futile = 0 // these were not read for nothing
	return nil
}

// send puts an item of h into the file.
func (f *run) send(h *host, it Item) error {
	if h.spilled == nil {
		h.spilled = &spilled{to: f.spill}
	}
	f.away++
	f.futile++
	return h.spilled.push(it)
}

// fetchBack takes items of h out of the file when its queue runs short.
func (f *run) fetchBack(h *host) error {
	if h.away() == 0 || h.queue.len >= f.keep() {
		return nil
	}
	share := f.cfg.Window / shareOfWindow // or what waits between its attempts would fill the window
	spare := f.cfg.Window / 2             // up to which that may happen where the host would be idle otherwise
	if f.in == nil {
		spare = f.cfg.Window // there is no other host to be found
	}
	for h.away() > 0 && (h.tasks < f.keep() || h.queue.len == 0 && f.pending < spare ||
		h.queue.len < backAtOnce && h.tasks < share && f.pending < f.cfg.Window) {
		it, err := h.spilled.pop()
		if err != nil {
			return err
		}
		f.away--
		f.futile = max(0, f.futile-1)
		f.pending++
		h.push(f.assign(&task{item: it}, h.name))
	}
	if h.away() == 0 {
		h.spilled = nil // with its buffers
	}
	return nil
}
