package fetch

import (
	"sync"
	"sync/atomic"
)

// A Meter counts what a run does, while it does it. The zero Meter is ready for use; give each run its own.
type Meter struct {
	read, before, ok, failed, attempts, bytes atomic.Int64
	running, waiting, resting                 atomic.Int64
	ended                                     atomic.Bool // the input
	offline                                   atomic.Bool

	mu    sync.Mutex
	kinds map[Kind]int64
}

// Counts is a snapshot of a Meter.
type Counts struct {
	Read     int64          // items read from the input so far
	AllRead  bool           // there are no more
	Before   int64          // of those read, how many had their result from an earlier run; see Journal
	OK       int64          // items that ended well
	Failed   int64          // items that failed for good, unparsable lines included
	Kinds    map[Kind]int64 // why they failed
	Attempts int64          // requests made, those of hedges included
	Bytes    int64          // of bodies received
	Running  int64          // requests running now, and bodies that are being saved
	Waiting  int64          // items waiting now
	Resting  int64          // hosts left alone now for a second or more: on hold, parked, or asked slowly
	Offline  bool           // our own network seems to be down
}

// Done is how many items have their record.
func (c Counts) Done() int64 { return c.OK + c.Failed }

// Left is how many items were read and have no record: they are still to do.
func (c Counts) Left() int64 { return c.Read - c.Done() }

// Counts returns a snapshot. It is safe for concurrent use.
func (m *Meter) Counts() Counts {
	// Done before read, so that Left is never negative.
	c := Counts{
		Before: m.before.Load(),
		OK:     m.ok.Load(), Failed: m.failed.Load(), Attempts: m.attempts.Load(), Bytes: m.bytes.Load(),
		Running: m.running.Load(), Waiting: m.waiting.Load(), Resting: m.resting.Load(), AllRead: m.ended.Load(), Offline: m.offline.Load(),
	}
	c.Read = m.read.Load()
	m.mu.Lock()
	defer m.mu.Unlock()
	c.Kinds = make(map[Kind]int64, len(m.kinds))
	for k, n := range m.kinds {
		c.Kinds[k] = n
	}
	return c
}

func (m *Meter) fail(k Kind) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.kinds == nil {
		m.kinds = make(map[Kind]int64)
	}
	m.kinds[k]++
	m.failed.Add(1)
}

// resume counts an item that has its result from an earlier run: of that kind of failure, or "" if it is ok.
func (m *Meter) resume(k Kind) {
	m.read.Add(1)
	m.before.Add(1)
	if k == "" {
		m.ok.Add(1)
	} else {
		m.fail(k)
	}
}

// uncount takes back an item whose record could not be written: it is still to do.
func (m *Meter) uncount(k Kind) {
	if k == "" {
		m.ok.Add(-1)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.kinds[k]--; m.kinds[k] == 0 {
		delete(m.kinds, k)
	}
	m.failed.Add(-1)
}
