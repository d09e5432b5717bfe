package bulkhead

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle/internal/clock"
	core "github.com/mettle-go/mettle/internal/core/bulkhead"
	"github.com/mettle-go/mettle/internal/waitq"
)

// steps are those of a call, none of which waits, so that one goroutine can take the steps of many calls in any
// order: also of one that leaves when it has been granted its places but has not heard of it.
type steps interface {
	enter(ctx context.Context, now clock.Instant, n int64) (clock.Instant, error)
	line(n int64, ended bool) (*waiter, core.Answer)
	waitedFor(ctx context.Context, w *waiter, n int64, outcome waitq.Outcome) error
	leave(n int64)
	resize(n int64)
	state() *Bulkhead
}

type real struct{ *Bulkhead }

func (b real) state() *Bulkhead { return b.Bulkhead }

func correct(c Config) steps { return real{New(c)} }

// lockstep makes operations of the bytes, does them to the bulkhead and to the model, and returns the first
// difference, and how many operations it did.
func lockstep(data script, with func(Config) steps) (done int, err error) {
	config := data.shape()
	ref, sut := modelOf(config), with(config)
	b := sut.state()
	over, cancel := context.WithCancel(context.Background())
	cancel()
	places := map[int]*waiter{} // of those who wait or have not heard
	weights := map[int]int{}
	var unheard, heard []int // both in the order in which they came about; heard are those inside

	for id := 0; len(data) > 0; done++ {
		what := ""
		switch op := data.next(); op % 8 {
		case 0, 1, 2:
			id++
			n := weight(data.next())
			what = fmt.Sprintf("%d enters with weight %d", id, n)
			weights[id] = n
			fits := n <= ref.free()
			ref.arrive(id, n, time.Time{}, op == 2)
			switch want := ref.answers[id]; {
			case want == admitted && op >= 64:
				// A place came free between the first look and the second. Then it does not matter that the context has ended.
				if w, got := sut.line(int64(n), op >= 128); w != nil || got != core.Admitted {
					return done, fmt.Errorf("%s: answer %v", what, got)
				}
				heard = append(heard, id)
			case want != "":
				if _, err := sut.enter(over, 0, int64(n)); told(err) != want {
					return done, fmt.Errorf("%s: %v, want %s", what, err, want)
				}
				if want == admitted {
					heard = append(heard, id)
				}
			default:
				w, got := sut.line(int64(n), false)
				if w == nil {
					return done, fmt.Errorf("%s: answer %v (it fits: %t), want a place in the queue", what, got, fits)
				}
				places[id] = w
			}
		case 3, 4:
			if len(heard) == 0 {
				continue
			}
			k := data.next() % len(heard)
			gone := heard[k]
			what = fmt.Sprintf("%d leaves with weight %d", gone, weights[gone])
			heard = slices.Delete(heard, k, k+1)
			ref.leave(slices.IndexFunc(ref.inside, func(c call) bool { return c.id == gone }))
			sut.leave(int64(weights[gone]))
		case 5:
			if len(ref.waiting) == 0 {
				continue
			}
			k := data.next() % len(ref.waiting)
			gone, outcome, want := ref.waiting[k].id, waitq.Ended, ended
			if op >= 128 {
				outcome, want = waitq.Late, late
			}
			what = fmt.Sprintf("%d gives up: %s", gone, want)
			ref.quit(k, want)
			if err := sut.waitedFor(over, places[gone], int64(weights[gone]), outcome); told(err) != want {
				return done, fmt.Errorf("%s: %v", what, err)
			}
			delete(places, gone)
		case 6:
			if len(unheard) == 0 {
				continue
			}
			k := data.next() % len(unheard)
			one := unheard[k]
			unheard = slices.Delete(unheard, k, k+1)
			outcome, want := waitq.Late, ref.answers[one]
			if op >= 192 { // too late: it has left
				outcome, want = waitq.Ended, ended
			}
			what = fmt.Sprintf("%d, %s, hears that as %v", one, ref.answers[one], outcome)
			if ref.answers[one] == admitted {
				if want == admitted {
					heard = append(heard, one)
				} else {
					ref.leave(slices.IndexFunc(ref.inside, func(c call) bool { return c.id == one }))
				}
			}
			if err := sut.waitedFor(over, places[one], int64(weights[one]), outcome); told(err) != want {
				return done, fmt.Errorf("%s: %v, want %s", what, err, want)
			}
			delete(places, one)
		default:
			n := 1 + data.next()%6
			what = fmt.Sprintf("the limit is %d", n)
			ref.setLimit(n)
			sut.resize(int64(n))
		}
		for one := range places {
			if ref.answers[one] != "" && !slices.Contains(unheard, one) {
				unheard = append(unheard, one)
			}
		}
		slices.Sort(unheard)

		free, waiting := core.Counts(b.word.Load())
		if int(free) != ref.free() || int(waiting) != len(ref.waiting) || b.limit.Load() != int64(ref.limit) {
			return done, fmt.Errorf("%s: %d free of %d and %d waiting, want %d of %d and %d", what,
				free, b.limit.Load(), waiting, ref.free(), ref.limit, len(ref.waiting))
		}
		w := b.queue.Front()
		for _, c := range ref.waiting {
			if w != places[c.id] || int(w.Value) != c.n {
				return done, fmt.Errorf("%s: the queue is not %v", what, ref.waiting)
			}
			w = b.queue.Behind(w)
		}
		if w != nil {
			return done, fmt.Errorf("%s: more are in the queue than %v", what, ref.waiting)
		}
		if b.Fresh() != (len(ref.inside)+len(ref.waiting) == 0 && ref.limit == config.Limit) {
			return done, fmt.Errorf("%s: Fresh is %t, with %v inside, %v waiting and the limit %d", what, b.Fresh(), ref.inside, ref.waiting, ref.limit)
		}
	}
	return done, nil
}

func FuzzLockstep(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(random(seed, 400))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		synctest.Test(t, func(t *testing.T) {
			if _, err := lockstep(data, correct); err != nil {
				t.Error(err)
			}
		})
	})
}

// Over a million operations. The bubble is there for one that never wakes, which it reports.
func TestLockstepRandomOperations(t *testing.T) {
	done, want := 0, 1_000_000
	if RaceEnabled {
		want /= 10 // all in one goroutine: there is nothing for the detector to find
	}
	for seed := uint64(0); done < want; seed++ {
		synctest.Test(t, func(t *testing.T) {
			n, err := lockstep(random(seed, 4000), correct)
			if err != nil {
				t.Fatalf("seed %d, operation %d: %v", seed, n, err)
			}
			done += n
		})
	}
}
