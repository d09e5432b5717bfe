package deadline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/mettle-go/mettle/internal/clock"
)

// wrapped is what the limits of these tests make of an error that they caused.
type wrapped struct{ err error }

func (w wrapped) Error() string { return "exceeded: " + w.err.Error() }

func limited(d time.Duration) *Limit {
	return &Limit{After: d, Cause: errSlow, Exceeded: func(_ context.Context, err error) error { return wrapped{err} }}
}

// End wraps an error that our deadline caused, and no other.
func TestEndTellsWhoseDeadlineItWas(t *testing.T) {
	plain := errors.New("plain")
	tests := []struct {
		name  string
		setup func(ctx context.Context) (context.Context, context.CancelFunc) // of the parent
		run   func(ctx context.Context) error
		want  bool
	}{
		{"nil in time", nil, func(context.Context) error { return nil }, false},
		{"nil too late", nil, func(ctx context.Context) error { <-ctx.Done(); return nil }, false},
		{"error in time", nil, func(context.Context) error { return plain }, false},
		{"error in time, of a function that asks", nil, func(ctx context.Context) error { ctx.Done(); return plain }, false},
		{"error after Done", nil, func(ctx context.Context) error { <-ctx.Done(); return plain }, true},
		{"Err polled", nil, func(ctx context.Context) error {
			for ctx.Err() == nil {
				time.Sleep(100 * time.Millisecond)
			}
			return plain
		}, true},
		{"too late, nothing asked, no timeout", nil, func(context.Context) error { time.Sleep(2 * time.Second); return plain }, false},
		{"I/O deadline taken from Deadline", nil, func(ctx context.Context) error {
			d, _ := ctx.Deadline()
			time.Sleep(time.Until(d))
			return fmt.Errorf("read: %w", os.ErrDeadlineExceeded)
		}, true},
		{"its own shorter timeout", nil, func(ctx context.Context) error {
			time.Sleep(time.Second / 2)
			return os.ErrDeadlineExceeded
		}, false},
		{"the parent's deadline is earlier", func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Second/2)
		}, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, false},
		{"the parent's deadline is earlier, both pass unasked", func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Second/2)
		}, func(context.Context) error { time.Sleep(time.Hour); return os.ErrDeadlineExceeded }, false},
		{"the parent's deadline is later", func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 2*time.Second)
		}, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, true},
		{"the parent leaves first", func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(time.Second/2, cancel)
			return ctx, cancel
		}, func(ctx context.Context) error { <-ctx.Done(); time.Sleep(time.Hour); return os.ErrDeadlineExceeded }, false},
	}
	for _, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			parent, cancel := context.WithCancel(context.Background())
			if test.setup != nil {
				parent, cancel = test.setup(parent)
			}
			defer cancel()
			c := New(parent, limited(time.Second), clock.Now())
			err := test.run(c)
			got := c.End(err)
			if w, ok := got.(wrapped); ok != test.want {
				t.Errorf("%s: End(%v) = %v, want it wrapped: %v", test.name, err, got, test.want)
			} else if ok && w.err != err || !ok && got != err {
				t.Errorf("%s: End(%v) = %v", test.name, err, got)
			}
			if !errors.Is(c.Err(), context.Canceled) && !errors.Is(c.Err(), context.DeadlineExceeded) {
				t.Errorf("%s: still alive after End: %v", test.name, c.Err())
			}
		})
	}
}

// overdue is a parent whose deadline is over and whose timer has not fired yet.
type overdue struct {
	context.Context
	deadline time.Time
}

func (o overdue) Deadline() (time.Time, bool) { return o.deadline, true }

func TestEndLeavesAnOverdueParentItsTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent := overdue{context.Background(), time.Now().Add(time.Second - 1)}
		c := New(parent, limited(time.Second), clock.Now())
		time.Sleep(time.Second)
		if got := c.End(os.ErrDeadlineExceeded); got != os.ErrDeadlineExceeded {
			t.Errorf("End = %v, want the error as it is: the parent's deadline was earlier", got)
		}
	})
}

// Until somebody needs it there is no timer and no tie to the parent.
func TestNothingIsMadeUntilAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent, cancel := context.WithCancel(context.WithValue(context.Background(), key("who"), "parent"))
		defer cancel()
		c := New(parent, limited(time.Second), clock.Now())
		if c.Err() != nil || context.Cause(c) != nil || c.Value(key("who")) != "parent" {
			t.Error("a fresh context has an error or lacks its parent's value")
		}
		if d, ok := c.Deadline(); !ok || time.Until(d) != time.Second {
			t.Errorf("Deadline is in %v, %v", time.Until(d), ok)
		}
		_ = context.WithValue(c, key("child"), 1)
		_ = context.WithoutCancel(c)
		_ = fmt.Sprint(c)
		if c.made != nil {
			t.Error("made although nobody asked for Done or had an error to hear")
		}
		c.Done()
		if c.made == nil {
			t.Error("not made by Done")
		}
		c.End(nil)
	})
}

// A call that was over in time must not become one that took too long because somebody looks later.
func TestEndedInTimeStaysCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(context.Background(), limited(time.Second), clock.Now())
		c.End(nil)
		time.Sleep(time.Hour)
		if c.Err() != context.Canceled || context.Cause(c) != context.Canceled || !closed(c) {
			t.Errorf("Err %v, cause %v, want both %v", c.Err(), context.Cause(c), context.Canceled)
		}
	})
}

func TestConcurrentUse(t *testing.T) {
	for range 20 {
		synctest.Test(t, func(t *testing.T) {
			parent, leave := context.WithCancelCause(context.WithValue(context.Background(), key("who"), "parent"))
			defer leave(nil)
			c := New(parent, limited(time.Second), clock.Now())
			var wg sync.WaitGroup
			for i := range 64 {
				wg.Go(func() {
					time.Sleep(time.Duration(i%4) * 400 * time.Millisecond)
					switch i % 8 {
					case 0:
						<-c.Done()
					case 1:
						before := c.Err()
						if after := c.Err(); before != nil && after != before {
							t.Errorf("Err was %v and is %v", before, after)
						}
					case 2:
						if got := c.Value(key("who")); got != "parent" {
							t.Errorf("Value is %v", got)
						}
					case 3:
						child, cancel := context.WithCancel(c)
						defer cancel()
						<-child.Done()
					case 4:
						_ = context.Cause(c)
					case 5:
						_ = fmt.Sprintf("%v", c)
					case 6:
						context.AfterFunc(c, func() {})()
					case 7:
						if i == 63 {
							c.End(nil)
						}
						c.Deadline()
					}
				})
			}
			wg.Wait()
			if err := c.Err(); err == nil || !closed(c) {
				t.Errorf("after End: Err %v", err)
			}
		})
	}
}

// foreign is a parent that package context knows nothing of: a tie to it takes a goroutine.
type foreign struct {
	context.Context
	done chan struct{}
}

func (f foreign) Done() <-chan struct{} { return f.done }
func (f foreign) Err() error            { return nil }

func TestEndReleasesTheTieToAForeignParent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(foreign{context.Background(), make(chan struct{})}, limited(time.Hour), clock.Now())
		c.Done()
		c.End(nil)
		// The bubble fails if a goroutine is left.
	})
}

// The parent outlives its calls: it must not keep them, nor the runtime their timers.
func TestEndLeavesNothingBehind(t *testing.T) {
	parent, cancel := context.WithCancel(context.Background())
	defer cancel()
	var left []weak.Pointer[Context]
	for range 100 {
		c := New(parent, limited(time.Hour), clock.Now())
		child, cancelChild := context.WithCancel(c)
		context.AfterFunc(child, func() {})()
		left = append(left, weak.Make(c))
		c.End(nil)
		cancelChild()
	}
	runtime.GC()
	runtime.GC()
	for _, w := range left {
		if w.Value() != nil {
			t.Fatal("a context is still reachable after its End")
		}
	}
	runtime.KeepAlive(parent)
}

func TestStringTellsTheParent(t *testing.T) {
	c := New(context.Background(), limited(time.Second), clock.Now())
	if got, want := c.String(), "context.Background.WithTimeout(1s)"; got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
	c = New(foreign{}, limited(time.Second), clock.Now())
	if got := c.String(); !strings.Contains(got, "foreign.WithTimeout(1s)") {
		t.Errorf("String() = %q", got)
	}
}

// meddler is a parent that does something the moment a context is tied to it.
type meddler struct {
	context.Context
	do func()
}

func (m *meddler) Done() <-chan struct{} {
	if do := m.do; do != nil {
		m.do = nil
		do()
	}
	return m.Context.Done()
}

// A call may end at the moment in which somebody else asks for Done. What that one gets must end too.
func TestEndWhileTheContextIsMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent, leave := context.WithCancel(context.Background())
		defer leave()
		m := &meddler{Context: parent}
		c := New(m, limited(time.Hour), clock.Now())
		m.do = func() { c.End(nil) }
		select {
		case <-c.Done():
		default:
			t.Error("Done is open although the call has ended")
		}
		if c.Err() != context.Canceled || context.Cause(c) != context.Canceled {
			t.Errorf("Err %v, cause %v, want both %v", c.Err(), context.Cause(c), context.Canceled)
		}
	})
}
