package lock

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// A crowd that waits, loses patience and panics. At no time do two hold one lock, which the race detector checks too;
// in the end all locks are free, and nobody is stuck: the bubble would tell.
func TestACrowd(t *testing.T) {
	for name, made := range correct {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				locks := made()
				var counts [keys]int // each guarded by its lock alone
				var want [keys]atomic.Int64
				var canceled, panicked atomic.Int64
				var wg sync.WaitGroup
				for i := range 16 {
					wg.Go(func() {
						rng := rand.New(rand.NewPCG(uint64(i), 4))
						for range 2000 {
							k, mood, patience := rng.IntN(keys), rng.IntN(20), rng.IntN(2)
							ctx, cancel := context.WithCancel(context.Background())
							if patience == 0 {
								go cancel()
							}
							err := guarded(func() error {
								return with(ctx, locks, k, func() error {
									counts[k]++
									want[k].Add(1)
									if mood == 0 {
										panic("mood")
									}
									if mood < 3 {
										runtime.Gosched()
									}
									return nil
								})
							})
							cancel()
							switch {
							case errors.Is(err, context.Canceled):
								canceled.Add(1)
							case errors.Is(err, errPanicked):
								panicked.Add(1)
							case err != nil:
								t.Error(err)
							}
						}
					})
				}
				wg.Wait()
				for k := range keys {
					if n := want[k].Load(); int64(counts[k]) != n || n == 0 {
						t.Errorf("%d increments under lock %d, want %d", counts[k], k, n)
					}
					if !locks.TryLock(k) {
						t.Errorf("lock %d is not free in the end", k)
					}
				}
				if canceled.Load() == 0 || panicked.Load() == 0 {
					t.Errorf("%d were canceled and %d panicked", canceled.Load(), panicked.Load())
				}
			})
		})
	}
}

var errPanicked = errors.New("panicked")

// guarded runs fn and returns its error, or that it panicked.
func guarded(fn func() error) (err error) {
	defer func() {
		if recover() != nil {
			err = errPanicked
		}
	}()
	return fn()
}

// with calls the With of the lock.
func with(ctx context.Context, locks subject, k int, fn func() error) error {
	if m, ok := locks.(*mutexes); ok {
		return m[k].With(ctx, fn)
	}
	return locks.(*Keyed[int]).With(ctx, k, fn)
}

// A lock that is handed over as the context ends is held, and not lost.
func TestATurnThatComesAsTheContextEndsCounts(t *testing.T) {
	for name, made := range correct {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				locks := made()
				for range 200 { // the waiter's select draws lots
					locks.TryLock(0)
					ctx, cancel := context.WithCancel(context.Background())
					result := make(chan error, 1)
					go func() { result <- locks.Lock(ctx, 0) }()
					synctest.Wait()
					locks.Unlock(0)
					cancel()
					if err := <-result; err != nil {
						t.Fatalf("Lock says %v, but holds the lock", err)
					}
					if locks.TryLock(0) {
						t.Fatal("the lock was given twice")
					}
					locks.Unlock(0)
				}
			})
		})
	}
}

// Between a look at the lock and a place in the queue it may come free.
func TestALockThatComesFreeMeanwhileIsTaken(t *testing.T) {
	var m Mutex
	if err := m.wait(context.Background()); err != nil || m.word.Load() != locked {
		t.Errorf("got %v and the word is %d", err, m.word.Load())
	}
	m.hand()
	if m.word.Load() != free {
		t.Error("not free after Unlock")
	}
}

// Who unlocks may find that somebody waits, then that he has left, and then that somebody else has come. Waits that end
// at once make that happen many times in a run.
func TestUnlockWhileWaitersComeAndGo(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(8)) // more than there are, so that they interrupt each other anywhere
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	var m Mutex
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					t.Errorf("Unlock by the holder panics: %v", p)
				}
			}()
			for i := range 200_000 {
				if m.Lock(ended) == nil {
					if i%16 == 0 {
						runtime.Gosched() // so that the others run into it
					}
					m.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if !t.Failed() && m.word.Load() != free {
		t.Errorf("in the end the word is %d, want %d", m.word.Load(), free)
	}
}

// A million keys, one after the other and all at once, leave nothing behind.
func TestKeysThatAreNotLockedTakeNoMemory(t *testing.T) {
	ctx := context.Background()
	const million = 1_000_000
	var l Keyed[int]
	before := heap()
	for k := range million {
		if err := l.Lock(ctx, k); err != nil {
			t.Fatal(err)
		}
		l.Unlock(k)
	}
	flat(t, "one after the other", before)
	for k := range million {
		if !l.TryLock(k) {
			t.Fatal("locked by nobody")
		}
	}
	if n := l.Len(); n != million {
		t.Errorf("%d keys are locked, want %d", n, million)
	}
	for k := range million {
		l.Unlock(k)
	}
	flat(t, "all at once", before)
	if n := l.Len(); n != 0 {
		t.Errorf("%d keys are still locked", n)
	}
	runtime.KeepAlive(&l)
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func flat(t *testing.T, what string, before uint64) {
	t.Helper()
	if now := heap(); now > before+1<<20 {
		t.Errorf("%s: %d bytes are left behind", what, now-before)
	}
}

// The lines of keys are used again, and no more of them are kept than are of use.
func TestLinesAreUsedAgainAndBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Keyed[int]
		for range 3 {
			const n = 2 * maxLines
			for k := range n {
				l.TryLock(k)
				go func() {
					if err := l.Lock(context.Background(), k); err != nil {
						t.Error(err)
					}
				}()
			}
			synctest.Wait()
			for k := range n {
				l.Unlock(k) // to the one who waits
			}
			synctest.Wait()
			if l.Len() != n || len(l.lines) != 0 {
				t.Errorf("%d keys are locked and %d lines are spare, want %d and 0", l.Len(), len(l.lines), n)
			}
			for k := range n {
				l.Unlock(k)
			}
			if l.Len() != 0 || len(l.lines) != maxLines {
				t.Errorf("%d keys are locked and %d lines are kept, want 0 and %d", l.Len(), len(l.lines), maxLines)
			}
		}
	})
}

func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for name, made := range correct {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			locks := made()
			if n := testing.AllocsPerRun(200, func() {
				locks.Lock(ctx, 0)
				locks.Unlock(0)
			}); n != 0 {
				t.Errorf("%s, free: %v allocations", name, n)
			}
			// A wait that is given up makes a waiter too, once.
			over, end := context.WithCancel(ctx)
			end()
			locks.TryLock(0)
			if n := testing.AllocsPerRun(200, func() { locks.Lock(over, 0) }); n != 0 {
				t.Errorf("%s, given up: %v allocations", name, n)
			}
			locks.Unlock(0)

			ask, answer := make(chan struct{}), make(chan error)
			go func() {
				for range ask {
					err := locks.Lock(ctx, 0)
					locks.Unlock(0)
					answer <- err
				}
			}()
			// The first wait makes a waiter, and later ones use it again.
			if n := testing.AllocsPerRun(200, func() {
				locks.Lock(ctx, 0)
				ask <- struct{}{}
				synctest.Wait()
				locks.Unlock(0)
				if err := <-answer; err != nil {
					t.Error(err)
				}
			}); n != 0 {
				t.Errorf("%s, after a wait: %v allocations", name, n)
			}
			close(ask)
		})
	}
}
