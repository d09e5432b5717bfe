package fetch

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A barrier is passed only behind a sync that began after the caller came to it, and one sync serves all who wait.
func TestBarrier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var began, ended, alls, lone atomic.Int64
		work := func() {
			began.Add(1)
			time.Sleep(10 * time.Millisecond)
			ended.Add(1)
		}
		b := newBarrier(func() error { alls.Add(1); work(); return nil })
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				time.Sleep(time.Duration(i*i%97) * time.Millisecond)
				for range 5 {
					before := began.Load()
					if err := b.pass(func() error { lone.Add(1); work(); return nil }); err != nil {
						t.Error(err)
					}
					if ended.Load() <= before {
						t.Errorf("passed after %d syncs had ended, though %d had begun before", ended.Load(), before)
					}
				}
			})
		}
		wg.Wait()
		if n := alls.Load() + lone.Load(); n > 60 || alls.Load() == 0 {
			t.Errorf("%d syncs of all and %d alone for 1000 that waited", alls.Load(), lone.Load())
		}
		if b.next != nil {
			t.Error("a round is left")
		}
	})
}

// Who is alone syncs what is his, and no more; and the error of a sync is that of all who waited for it, and of all who come later: what was lost
// may be theirs.
func TestBarrierErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mine, shared := errors.New("mine"), errors.New("shared")
		var result error
		b := newBarrier(func() error { return result })
		alone := func() error { return b.pass(func() error { return mine }) }
		if err := alone(); err != mine {
			t.Errorf("alone: %v", err)
		}
		for _, tc := range []struct{ result, want error }{{nil, nil}, {shared, shared}, {nil, shared}} {
			result = tc.result
			b.turn <- struct{}{} // so that all come to the same round
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() {
					if err := alone(); err != tc.want {
						t.Errorf("together: %v, want %v", err, tc.want)
					}
				})
			}
			time.Sleep(time.Second)
			<-b.turn
			wg.Wait()
		}
		if err := alone(); err != shared {
			t.Errorf("alone, after a sync of all had failed: %v", err)
		}
	})
}
