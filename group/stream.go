package group

import (
	"context"
	"errors"
	"iter"
	"math"
	"sync"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/internal/discard"
)

// errLoop is what the context of the calls tells them of a loop that ended before its stream.
var errLoop = errors.New("group: the loop over the stream ended")

// Stream calls fn for each item of seq, at most cfg.Limit at a time (8 if that is 0), and yields what became of each: for
// sequences that are too long to be a slice, or never end.
//
//	for page, err := range group.Stream(ctx, urls, group.Config{Limit: 8}, fetch) {
//		…
//	}
//
// Nothing runs before the result is ranged over, and each range is a run of its own. Every item that is taken from seq is
// yielded exactly once, unless the loop ends first: with its value, or with a *ItemError and the zero value of R. They
// come in the order of seq or, with Config.Unordered, as they end.
//
// Look-ahead is bounded. Of all items that seq has handed over, at most 2 × Limit are not yet yielded, where an item counts
// as yielded from the moment that the loop's body begins with it; seq is not asked for another before there is room for
// it. So one slow item holds up at most 2 × Limit - 1 that come after it, and a slow loop holds up seq.
//
// When the scope is canceled, by failures, a panic or the end of ctx, nothing more is started, and no more is taken than
// what seq is at. What was taken is still yielded, items that were not started with ErrNotStarted. Then comes one last
// pair: the zero value and a *Error that tells why and counts the items. There is none if the scope was not canceled. So
// a loop that ends without a *Error has seen everything, and one with MaxFailures -1 goes through whatever fails.
//
// That *Error has no Item, since each failure has been yielded before, and with MaxFailures -1 its Failures are only the
// first 100 and any panic. If ctx has ended already, seq is not called and the last pair is the only one.
//
// The loop may end at any time, by break, return, panic or runtime.Goexit: the calls are canceled, and they and seq have
// ended before the range statement does. Values that were not yielded are then released: one that has a method
// Close() error or Close(), and is no nil pointer, is closed, and an error of Close is ignored.
//
// seq runs in one goroutine, which is not the loop's, and is stopped by its yield returning false. It is waited for, as
// calls are: one that waits for something should heed a context that ends with the loop. A panic of seq cancels the scope
// like that of a call, and so does a runtime.Goexit; the last *Error has it among its Failures and counts it beside the
// items. With Config.Crash a panic ends the program.
//
// Stream panics if cfg.Validate has an error or seq or fn is nil. It allocates for each range, in proportion to how
// far it looks ahead, but not for each item, except what seq, fn, a failure or cfg.Policy does.
func Stream[T, R any](ctx context.Context, seq iter.Seq[T], cfg Config, fn func(context.Context, T) (R, error)) iter.Seq2[R, error] {
	cfg.mustBeValid()
	if seq == nil {
		panic("group: Stream: seq is nil, want a sequence")
	}
	if fn == nil {
		panic("group: Stream: fn is nil, want a function")
	}
	if cfg.Policy != nil {
		fn = mettle.Wrap(cfg.Policy, fn)
	}
	return func(yield func(R, error) bool) {
		s := &stream[T, R]{seq: seq, fn: fn, limit: cfg.limitOfItems(), unordered: cfg.Unordered}
		s.window = 2 * min(s.limit, math.MaxInt/2)
		s.work.L, s.room.L, s.ready.L = &s.mu, &s.mu, &s.mu
		s.open(ctx, cfg)
		if cfg.MaxFailures < 0 {
			s.keeps = keptFailures
		}
		s.run(yield)
	}
}

// keptFailures is how many failures a stream keeps that any number of failures does not end, lest it grow with each.
const keptFailures = 100

// stream is one range over a Stream. Three kinds of goroutines work on it: one takes the items from seq, up to limit
// call fn, and the loop's own yields.
type stream[T, R any] struct {
	scope
	seq       iter.Seq[T]
	fn        func(context.Context, T) (R, error)
	limit     int
	window    int // how many items may be taken and not yielded
	unordered bool
	others    sync.WaitGroup // the goroutines but the loop's

	// Guarded by scope.mu, as is all that follows.
	ring  []place[T, R] // its length is a power of two
	over  bool          // the loop ended
	taken int           // items taken from seq; of these
	begun int           // called, or never to be
	ended int           // over with; counted only if unordered
	given int           // yielded
	drawn bool          // seq has ended
	ran   bool          // some call did not end in a rejection

	work    sync.Cond // for idle workers
	workers int
	idle    int  // workers that wait for work
	coming  bool // a worker was woken, or started, and has not looked for work yet
	room    sync.Cond
	full    bool      // the taker waits for room
	ready   sync.Cond // for the loop
	hungry  bool      // the loop waits for ready
}

// place holds an item by its number until its call begins, and what is to be yielded by its turn. In an unordered stream
// these are not the same item.
type place[T, R any] struct {
	item  T
	value R
	err   error
	done  bool // value and err are to be yielded
}

// run yields everything. Whichever way it ends, all goroutines have ended before.
func (s *stream[T, R]) run(yield func(R, error) bool) {
	through := false
	defer func() {
		if !through {
			s.abandon()
		}
	}()
	if s.ctx.Err() == nil {
		s.others.Add(1)
		go s.take()
	} else {
		s.drawn = true
	}
	for {
		v, ok, err := s.next()
		if !ok {
			break
		}
		if !yield(v, err) {
			return
		}
	}
	through = true
	if s.parent.Err() != nil {
		s.cancel(context.Cause(s.parent)) // seq may have ended because of it, and been faster
	}
	canceled := s.ctx.Err() != nil
	s.dismiss()
	defer s.cancel(nil)
	if s.meter != nil {
		s.meter.last()
	}
	if !canceled {
		return
	}
	e := s.report()
	e.items = noItems
	e.ran = s.ran
	var zero R
	yield(zero, e)
}

// next waits for what is to be yielded next. It reports whether there is anything.
func (s *stream[T, R]) next() (v R, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if s.given < s.taken {
			if p := s.at(s.given); p.done {
				v, err = p.value, p.err
				var zero R
				p.value, p.err, p.done = zero, nil, false
				s.given++
				if s.full {
					s.full = false
					s.room.Signal()
				}
				return v, true, err
			}
		} else if s.drawn {
			return v, false, nil
		}
		s.hungry = true
		s.ready.Wait()
	}
}

// dismiss ends the goroutines that have nothing to do any more, or soon will not, and waits for them.
func (s *stream[T, R]) dismiss() {
	s.mu.Lock()
	s.over = true
	s.work.Broadcast()
	s.room.Signal()
	s.mu.Unlock()
	s.others.Wait()
}

// abandon ends a stream whose loop did not go on to its end.
func (s *stream[T, R]) abandon() {
	s.cancel(errLoop)
	s.dismiss()
	for i := s.given; i < s.taken; i++ {
		if p := s.at(i); p.done && p.err == nil {
			discard.Close(p.value)
		}
	}
	if s.meter != nil {
		s.meter.last()
	}
}
