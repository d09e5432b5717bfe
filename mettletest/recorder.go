package mettletest

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/mettle-go/mettle"
)

// A Recorder keeps the events that it observes. The zero Recorder is empty and ready for use. It is safe for concurrent
// use and must not be copied. It has no lock, so that it cannot make a policy wait; it grows with each event until Reset.
type Recorder struct {
	last atomic.Pointer[recorded]
}

// recorded is one event, linked to the one before it. It is immutable once it is the last.
type recorded struct {
	event  mettle.Event
	before *recorded
}

// Observe keeps e. As a method value it is a mettle.Observer:
//
//	var rec mettletest.Recorder
//	p := retry.New(retry.Config{Observer: rec.Observe})
func (r *Recorder) Observe(_ context.Context, e mettle.Event) {
	next := &recorded{event: e}
	for {
		next.before = r.last.Load()
		if r.last.CompareAndSwap(next.before, next) {
			return
		}
	}
}

// Events returns what was observed, in the order in which it arrived. The slice is the caller's. An Observe that has returned
// before Events is called is in it.
func (r *Recorder) Events() []mettle.Event {
	var events []mettle.Event
	for l := r.last.Load(); l != nil; l = l.before {
		events = append(events, l.event)
	}
	slices.Reverse(events)
	return events
}

// Kinds returns the kinds of Events, which is often all that a test wants to compare.
func (r *Recorder) Kinds() []mettle.Kind {
	var kinds []mettle.Kind
	for l := r.last.Load(); l != nil; l = l.before {
		kinds = append(kinds, l.event.Kind)
	}
	slices.Reverse(kinds)
	return kinds
}

// Reset forgets what was observed so far.
func (r *Recorder) Reset() { r.last.Store(nil) }
