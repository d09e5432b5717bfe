package fetch

import "sync"

// A barrier lets many that wait for the disk at a time wait for one sync of all of it, which costs little more than that of a single file.
type barrier struct {
	all  func() error  // syncs everything that was written before
	turn chan struct{} // has room for the one round that syncs; who comes meanwhile joins the next one

	mu     sync.Mutex
	next   *round
	failed error // of the first sync of all that failed
}

func newBarrier(all func() error) *barrier {
	return &barrier{all: all, turn: make(chan struct{}, 1)}
}

// A round is one sync, for all that came before it began.
type round struct {
	members int
	done    chan struct{}
	err     error
}

// pass returns when what its caller has written is on the disk. The caller's own sync, alone, is used where nobody else waits: it does not
// have to write what other programs have in memory. Once a sync of all has failed, everybody gets its error: the system tells it a single time, and nobody
// knows whose bytes are lost.
func (b *barrier) pass(alone func() error) error {
	b.mu.Lock()
	r := b.next
	first := r == nil
	if first {
		r = &round{done: make(chan struct{})}
		b.next = r
	}
	r.members++
	b.mu.Unlock()
	if !first {
		<-r.done
		return r.err
	}
	b.turn <- struct{}{}
	defer func() { <-b.turn }()
	b.mu.Lock()
	b.next = nil
	r.err = b.failed
	b.mu.Unlock()
	defer close(r.done)
	if r.err != nil {
		return r.err
	}
	if r.members == 1 {
		return alone()
	}
	if r.err = b.all(); r.err != nil {
		b.mu.Lock()
		b.failed = r.err
		b.mu.Unlock()
	}
	return r.err
}
