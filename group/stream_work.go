package group

import (
	"errors"

	"github.com/mettle-go/mettle"
)

// at returns the place with the number i, which is at least s.given and below s.taken. The caller holds s.mu, as for all
// that is guarded by it.
func (s *stream[T, R]) at(i int) *place[T, R] { return &s.ring[i&(len(s.ring)-1)] }

// take takes the items from seq.
func (s *stream[T, R]) take() {
	returned := false
	defer func() {
		if !returned {
			err := error(ErrGoexit)
			if !s.crash {
				_, err = unwound(recover())
			} else if panicking() {
				return // seq has not ended for the loop, so that it cannot end, and the program exit, ahead of the crash
			}
			s.count(panicked)
			s.add(panicked, err) // also the exit: without its seq the stream cannot go on
		}
		s.mu.Lock()
		s.drawn = true
		s.ran = s.ran || !returned
		s.feed()
		s.mu.Unlock()
		s.others.Done()
	}()
	for item := range s.seq {
		if !s.put(item) {
			break
		}
	}
	returned = true
}

// put queues an item and waits until there is room for another. It reports whether there should be one.
func (s *stream[T, R]) put(item T) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken-s.given == len(s.ring) {
		s.grow()
	}
	i := s.taken
	s.taken++
	s.at(i).item = item
	if s.ctx.Err() != nil {
		s.skip()
		return false
	}
	s.call()
	for s.taken-s.given == s.window && !s.over {
		s.full = true
		s.room.Wait()
	}
	return !s.over && s.ctx.Err() == nil
}

// grow doubles the ring. It is made as large as a stream needs it: most are shorter, or faster, than their window is wide.
func (s *stream[T, R]) grow() {
	old := s.ring
	s.ring = make([]place[T, R], max(4, 2*len(old)))
	for i := s.given; i < s.taken; i++ {
		*s.at(i) = old[i&(len(old)-1)]
	}
}

// call sees to it that a queued item gets a worker, if there may be one more at work. Only one worker at a time is on its
// way: it calls for the next, so that short calls do not wake more than they need.
func (s *stream[T, R]) call() {
	switch {
	case s.begun == s.taken || s.coming:
	case s.idle > 0:
		s.coming = true
		s.work.Signal()
	case s.workers < s.limit:
		s.coming = true
		s.workers++
		s.others.Add(1)
		go s.worker()
	}
}

// feed wakes the loop if it waits.
func (s *stream[T, R]) feed() {
	if s.hungry {
		s.hungry = false
		s.ready.Signal()
	}
}

// skip ends all queued items, now that no call is to begin any more.
func (s *stream[T, R]) skip() {
	var zero T
	for ; s.begun < s.taken; s.begun++ {
		s.at(s.begun).item = zero
		s.notStarted++
		var none R
		s.settle(s.begun, none, &ItemError{Index: s.begun, Err: ErrNotStarted})
	}
}

// settle lets the i-th item be yielded in its turn.
func (s *stream[T, R]) settle(i int, v R, err error) {
	if s.unordered {
		i = s.ended
		s.ended++
	}
	p := s.at(i)
	p.value, p.err, p.done = v, err, true
	if i == s.given {
		s.feed()
	}
}

// worker is one of the goroutines that call fn.
func (s *stream[T, R]) worker() {
	s.mu.Lock()
	s.coming = false
	s.mu.Unlock()
	s.resume()
}

func (s *stream[T, R]) resume() {
	for s.some() {
	}
	s.others.Done() // not deferred: in a scope that crashes, the loop must not end ahead of the crash
}

// some calls fn for items until the stream is over, up to the first call that does not return. It reports whether there
// may be more to do.
func (s *stream[T, R]) some() (more bool) {
	var i int
	returned := false
	defer func() {
		if returned {
			return
		}
		how, err := failed, ErrGoexit
		if !s.crash {
			how, err = unwound(recover())
		} else if panicking() {
			return
		}
		s.count(how)
		s.missed(i, how, err)
		more = true
		if how == failed {
			go s.resume() // in place of this goroutine, which ends
		}
	}()
	s.mu.Lock()
	for s.await() {
		var zero T
		i = s.begun
		item := s.at(i).item
		s.at(i).item = zero
		s.begun++
		s.call()
		s.mu.Unlock()
		v, err := s.fn(s.ctx, item)
		if err != nil {
			how := s.judge(err)
			s.tell(how)
			s.missed(i, how, err)
			s.mu.Lock()
			continue
		}
		s.tell(succeeded)
		s.mu.Lock()
		s.succeeded++
		s.ran = true
		s.settle(i, v, nil)
	}
	s.mu.Unlock()
	returned = true
	return false
}

// await waits for an item whose call is to begin, and reports whether there is one, or the stream has ended.
func (s *stream[T, R]) await() bool {
	for !s.over {
		if s.begun < s.taken {
			if s.ctx.Err() == nil {
				return true
			}
			s.skip()
		}
		s.idle++
		s.work.Wait()
		s.idle--
		s.coming = false
	}
	return false
}

// missed accounts for an item that did not succeed.
func (s *stream[T, R]) missed(i int, how ending, err error) {
	e := &ItemError{Index: i, Err: err}
	s.add(how, e)
	rejected := errors.Is(err, mettle.ErrRejected)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ran = s.ran || !rejected
	var zero R
	s.settle(i, zero, e)
}
