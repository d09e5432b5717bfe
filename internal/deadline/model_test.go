package deadline

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle/internal/clock"
)

type key string

var (
	errSlow = errors.New("time was up")
	errGone = errors.New("the parent left")
)

// model is what a Context must be like: a context of package context, made when the Context was.
//
// It stands aside in two cases, the price of laziness that the package's comment states. In both, what happened while
// nobody asked is judged when somebody does: now says what then.
type model struct {
	context.Context
	cancel context.CancelFunc
	now    func() context.Context
	at     time.Time
}

func (m *model) settle() {
	if m.now != nil {
		m.Context, m.now = m.now(), nil
	}
}

func (m *model) Err() error                  { m.settle(); return m.Context.Err() }
func (m *model) Done() <-chan struct{}       { m.settle(); return m.Context.Done() }
func (m *model) Deadline() (time.Time, bool) { return m.at, true }

// pair is a context and its model, or the same child of both.
type pair struct {
	got, want context.Context
	called    [2]atomic.Int32 // by AfterFunc
	afterFunc bool
}

func (p *pair) compare(t *testing.T, op string) {
	t.Helper()
	if got, want := p.got.Err(), p.want.Err(); got != want {
		t.Fatalf("%s: Err() = %v, want %v", op, got, want)
	}
	if got, want := context.Cause(p.got), context.Cause(p.want); got != want {
		t.Fatalf("%s: Cause = %v, want %v", op, got, want)
	}
}

func closed(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return true
	default:
		return false
	}
}

// script plays random operations on a Context and its model, in a bubble, and compares what each returns.
func script(t *testing.T, next func(n int) int, steps int) {
	synctest.Test(t, func(t *testing.T) {
		base := context.WithValue(context.Background(), key("who"), "parent")
		release := func() {}
		switch next(3) {
		case 0: // a deadline of the parent's, at 1.5 s to 4.5 s: before or after our own 3 s, never at it
			base, release = context.WithTimeoutCause(base, time.Duration(next(4))*time.Second+1500*time.Millisecond, errGone)
		case 1: // one far away
			base, release = context.WithTimeoutCause(base, time.Hour, errGone)
		}
		defer release()
		parent, leave := context.WithCancelCause(base)
		defer leave(nil)

		limit := &Limit{After: 3 * time.Second, Cause: errSlow, Exceeded: func(_ context.Context, err error) error { return err }}
		c := New(parent, limit, clock.Now())
		at := time.Now().Add(limit.After)
		m := &model{}
		m.Context, m.cancel = context.WithDeadlineCause(parent, at, errSlow)
		m.at, _ = m.Context.Deadline()
		defer func() { m.cancel() }()
		ended := false
		end := func() {
			if ended {
				return // once, says End
			}
			c.End(nil)
			m.cancel()
			if c.made == nil {
				m.now = func() context.Context {
					ctx, cancel := context.WithCancel(parent)
					cancel()
					return ctx
				}
			}
			ended = true
		}
		defer end()
		hindsight := func() {
			if c.made == nil && !ended && parent.Err() != nil && !time.Now().Before(at) {
				m.now = func() context.Context { return parent }
			}
		}

		pairs := []*pair{{got: c, want: m}}
		for i := range steps {
			hindsight()
			p := pairs[next(len(pairs))]
			op := fmt.Sprintf("step %d", i)
			switch next(12) {
			case 0:
				d := time.Duration(next(5)) * 500 * time.Millisecond
				op += fmt.Sprintf(": %v passed", d)
				time.Sleep(d)
			case 1:
				if next(4) == 0 {
					op += ": parent canceled"
					leave(errGone)
				}
			case 2:
				if got, want := p.got.Err(), p.want.Err(); got != want {
					t.Fatalf("%s: Err() = %v, want %v", op, got, want)
				}
			case 3:
				if got, want := closed(p.got), closed(p.want); got != want {
					t.Fatalf("%s: Done closed is %v, want %v", op, got, want)
				}
			case 4:
				if got, want := context.Cause(p.got), context.Cause(p.want); got != want {
					t.Fatalf("%s: Cause = %v, want %v", op, got, want)
				}
			case 5:
				for _, k := range []key{"who", "child", "nobody"} {
					if got, want := p.got.Value(k), p.want.Value(k); got != want {
						t.Fatalf("%s: Value(%s) = %v, want %v", op, k, got, want)
					}
				}
			case 6:
				got, ok := p.got.Deadline()
				want, wantOK := p.want.Deadline()
				if ok != wantOK || !got.Equal(want) {
					t.Fatalf("%s: Deadline() = %v, %v, want %v, %v", op, got, ok, want, wantOK)
				}
			case 7:
				got, cancelGot := context.WithCancel(p.got)
				want, cancelWant := context.WithCancel(p.want)
				defer cancelGot()
				defer cancelWant()
				if next(3) == 0 {
					cancelGot()
					cancelWant()
				}
				pairs = append(pairs, &pair{got: got, want: want})
			case 8:
				child := &pair{got: context.WithValue(p.got, key("child"), i), want: context.WithValue(p.want, key("child"), i)}
				pairs = append(pairs, child)
			case 9:
				child := &pair{got: context.WithoutCancel(p.got), want: context.WithoutCancel(p.want)}
				pairs = append(pairs, child)
			case 10:
				if !p.afterFunc {
					p.afterFunc = true
					stopGot := context.AfterFunc(p.got, func() { p.called[0].Add(1) })
					stopWant := context.AfterFunc(p.want, func() { p.called[1].Add(1) })
					if next(4) == 0 {
						if got, want := stopGot(), stopWant(); got != want {
							t.Fatalf("%s: stop() = %v, want %v", op, got, want)
						}
					}
				}
			case 11:
				if next(4) == 0 {
					op += ": End"
					end()
				}
			}
			synctest.Wait()
			for _, p := range pairs {
				if got, want := p.called[0].Load(), p.called[1].Load(); got != want {
					t.Fatalf("%s: AfterFunc called %d times, want %d", op, got, want)
				}
			}
			if next(5) == 0 {
				hindsight()
				for _, p := range pairs {
					p.compare(t, op)
				}
			}
		}
		hindsight()
		end()
		for _, p := range pairs {
			p.compare(t, "at the end")
		}
	})
}

func TestContextIsLikeTheStandardLibrarys(t *testing.T) {
	for seed := range uint64(2000) {
		rng := rand.New(rand.NewPCG(seed, 1))
		script(t, rng.IntN, 40)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func FuzzContext(f *testing.F) {
	f.Add([]byte{1, 2, 3, 0, 0, 7, 0, 3})
	f.Fuzz(func(t *testing.T, ops []byte) {
		script(t, func(n int) int {
			if len(ops) == 0 {
				return 0
			}
			b := ops[0]
			ops = ops[1:]
			return int(b) % n
		}, min(len(ops), 60))
	})
}
