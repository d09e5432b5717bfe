package ratelimit

import (
	"context"
	"errors"
	"math"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle/internal/clock"
	core "github.com/mettle-go/mettle/internal/core/ratelimit"
)

// Between a caller's look at the rate and his place in the log the rate may change.
func TestMoreThanTheRateJustBecameIsNotTaken(t *testing.T) {
	l := New(Config{Rate: 5, Strict: true})
	l.SetRate(2, 0)
	if _, wait, ok := l.take(0, 5, math.MaxInt64); ok || wait != math.MaxInt64 {
		t.Errorf("five got a place, to be waited for for %d", wait)
	}
}

// A caller who read the clock before another, and asks after him, is not turned away for it while there is room.
func TestAReadingThatIsLateByALittleIsNoReasonToReject(t *testing.T) {
	l := New(Config{Rate: 10, Strict: true})
	for i := range 10 {
		if _, _, err := l.AcquireAt(context.Background(), clock.Instant(1000-i)); err != nil {
			t.Errorf("call %d: %v", i, err)
		}
	}
}

// A timer that goes off just after the rate became slower is not enough: its owner waits on.
func TestATimerOfAnEarlierRateIsNoAdmission(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Config{Rate: 1, Burst: 1, MaxWait: time.Hour})
		begun := clock.Now()
		l.Allow()
		p, _, _ := l.take(int64(begun), 1, math.MaxInt64)
		l.SetRate(1, time.Minute)
		if _, ok, _ := l.wait(context.Background(), &p, begun); !ok || clock.Now().Sub(begun) != time.Minute {
			t.Errorf("admitted after %v, want 1m", clock.Now().Sub(begun))
		}
	})
}

// The timer may go off, and the rate change, before its owner gets up: he waits on. Here he does not hear of the change otherwise.
func TestATimerThatGoesOffAsTheRateChangesIsNoAdmission(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Config{Rate: 1, Burst: 1, MaxWait: time.Hour})
		begun := clock.Now()
		l.Allow()
		ctx := &asked{context.Background(), func() {
			l.mu.Lock()
			l.era.Load().changed = nil
			l.mu.Unlock()
			l.SetRate(1, time.Minute)
		}}
		if _, err := l.Acquire(ctx); err != nil || clock.Now().Sub(begun) != time.Minute {
			t.Errorf("after %v: %v, want an admission after 1m", clock.Now().Sub(begun), err)
		}
	})
}

// An asked context does something when it is first asked for Done, which is when a caller has looked at his place and is about to wait.
type asked struct {
	context.Context
	do func()
}

func (a *asked) Done() <-chan struct{} {
	if do := a.do; do != nil {
		a.do = nil
		do()
	}
	return a.Context.Done()
}

// A deadline in the year 1 is farther away than the longest Duration, and over all the same.
func TestSemantics10ADeadlineFarInThePastIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(Config{Rate: 1, Burst: 1, MaxWait: time.Hour})
		begun := clock.Now()
		l.Allow()
		ctx, cancel := context.WithDeadline(context.Background(), time.Time{})
		defer cancel()
		if _, err := l.Acquire(ctx); !errors.Is(err, ErrLimited) {
			t.Errorf("got %v, want ErrLimited", err)
		}
		if _, err := l.Acquire(dueInTheYear1{context.Background()}); !errors.Is(err, ErrLimited) || clock.Now() != begun {
			t.Errorf("after %v: %v, want ErrLimited at once", clock.Now().Sub(begun), err)
		}
	})
}

type dueInTheYear1 struct{ context.Context }

func (dueInTheYear1) Deadline() (time.Time, bool) { return time.Time{}, true }

// Who finds the word taken away, and has to wait for the lock until the rate has changed, takes his place in the line that there is then.
func TestWhoComesAmidSetRateStandsInTheNewLine(t *testing.T) {
	l := New(Config{Rate: 1, Per: time.Hour, Burst: 1})
	l.Allow()
	freed := l.Reserve()
	l.Reserve()
	freed.Cancel() // now the word does not tell all
	l.mu.Lock()
	places := make(chan place)
	go func() {
		p, _, _ := l.take(int64(clock.Now()), 1, math.MaxInt64)
		places <- p
	}()
	for range 1000 {
		runtime.Gosched() // he comes as far as to the lock
	}
	l.era.Store(l.era.Load().succeed(bounds{2, time.Hour, 1, false}, int64(clock.Now())))
	l.mu.Unlock()
	if p := <-places; p.era != l.era.Load() {
		t.Error("he stands in the old line")
	}
}

// Once no freed place is waiting any more, the word tells all again, and nobody needs the lock.
func TestTheWordComesBack(t *testing.T) {
	for name, do := range map[string]func(*Limiter){
		"Describe":   func(l *Limiter) { l.Describe() },
		"Fresh":      func(l *Limiter) { l.Fresh() },
		"SetRate":    func(l *Limiter) { l.SetRate(2, time.Hour) },
		"Cancel":     func(l *Limiter) { l.Reserve().Cancel() },
		"RetryAfter": func(l *Limiter) { l.limited.RetryAfter() },
	} {
		l := New(Config{Rate: 1, Burst: 1})
		l.mu.Lock()
		l.era.Load().hold()
		l.mu.Unlock()
		if do(l); l.era.Load().word.Load() == core.Held {
			t.Errorf("after %s it tells nothing", name)
		}
	}
}

func TestSpareWaitersAreUsedAgainAndBounded(t *testing.T) {
	l := New(Config{Rate: 1, Burst: 1})
	for range 2 {
		seen := map[*waiter]bool{}
		for range 2 * maxSpare {
			seen[l.sit()] = true
		}
		if l.spare != nil || l.spares != 0 || len(seen) != 2*maxSpare {
			t.Fatalf("%d are said to be kept of none, and %d were given out, want %d", l.spares, len(seen), 2*maxSpare)
		}
		for w := range seen {
			l.rise(w)
		}
		kept := 0
		for w := l.spare; w != nil; w = w.next {
			if kept++; !seen[w] {
				t.Fatal("a new waiter while used ones are kept")
			}
		}
		if kept != maxSpare || l.spares != maxSpare {
			t.Fatalf("%d are kept, said to be %d, want %d", kept, l.spares, maxSpare)
		}
	}
}
