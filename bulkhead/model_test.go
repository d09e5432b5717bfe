package bulkhead

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle/internal/clock"
	core "github.com/mettle-go/mettle/internal/core/bulkhead"
)

// answer is what a caller was told.
type answer string

const (
	admitted answer = "admitted"
	full     answer = "full"
	late     answer = "late"
	ended    answer = "ended"
)

// model says what a bulkhead is to do, with plain lists.
type model struct {
	limit, queue int
	maxWait      time.Duration
	inside       []int
	waiting      []queued
	answers      map[int]answer
}

type queued struct {
	id    int
	until time.Time
}

func (m *model) arrive(id int, now time.Time, over bool) {
	switch {
	case len(m.inside) < m.limit && len(m.waiting) == 0:
		m.inside = append(m.inside, id)
		m.answers[id] = admitted
	case len(m.waiting) >= m.queue:
		m.answers[id] = full
	case over:
		m.answers[id] = ended
	default:
		m.waiting = append(m.waiting, queued{id, now.Add(m.maxWait)})
	}
}

func (m *model) leave(k int) {
	m.inside = slices.Delete(m.inside, k, k+1)
	if len(m.waiting) > 0 {
		m.inside = append(m.inside, m.waiting[0].id)
		m.answers[m.waiting[0].id] = admitted
		m.waiting = m.waiting[1:]
	}
}

func (m *model) cancel(k int) {
	m.answers[m.waiting[k].id] = ended
	m.waiting = slices.Delete(slices.Clone(m.waiting), k, k+1)
}

func (m *model) pass(now time.Time) {
	for m.maxWait > 0 && len(m.waiting) > 0 && !now.Before(m.waiting[0].until) {
		m.answers[m.waiting[0].id] = late
		m.waiting = m.waiting[1:]
	}
}

// subject is the bulkhead under test: a Bulkhead, or one with a bug planted.
type subject interface {
	acquire(ctx context.Context) error
	release()
	counts() (inside, waiting uint64)
}

type real struct{ *Bulkhead }

func (b real) acquire(ctx context.Context) error {
	_, _, err := b.AcquireAt(ctx, clock.Unread)
	return err
}
func (b real) release()                 { b.Release(context.Background(), 0, nil) }
func (b real) counts() (uint64, uint64) { return core.Counts(b.word.Load()) }

// check makes operations of the bytes, does them to the subject and to the model, and returns the first
// difference. It runs in a bubble, where it leaves no goroutine behind.
func check(data []byte, with func(Config) subject) (err error) {
	next := func() int {
		if len(data) == 0 {
			return 0
		}
		b := data[0]
		data = data[1:]
		return int(b)
	}
	shape := next()
	ref := &model{
		limit: 1 + shape%3, queue: []int{0, 1, 4, 100}[shape/4%4],
		maxWait: []time.Duration{0, 50}[shape/16%2], answers: map[int]answer{},
	}
	sut := with(Config{Limit: ref.limit, Queue: ref.queue, MaxWait: ref.maxWait})
	got := map[int]answer{}
	cancels := map[int]context.CancelFunc{}
	defer func() {
		for _, cancel := range cancels {
			cancel()
		}
		synctest.Wait()
	}()
	answers := make(chan func(), 1000)
	arrive := func(id int, over bool) {
		ctx, cancel := context.WithCancel(context.Background())
		cancels[id] = cancel
		if over {
			cancel()
		}
		go func() {
			a := told(sut.acquire(ctx))
			answers <- func() { got[id] = a }
		}()
	}
	for id := 0; len(data) > 0 && id < 500; {
		what := ""
		switch op := next(); op % 8 {
		case 0, 1, 2:
			what = "arrive"
			id++
			ref.arrive(id, time.Now(), op == 2)
			arrive(id, op == 2)
		case 3, 4:
			if len(ref.inside) == 0 {
				continue
			}
			what = "leave"
			ref.leave(next() % len(ref.inside))
			sut.release()
			if op >= 128 { // and another comes before the one whose turn it is has got up
				what = "leave and arrive"
				id++
				ref.arrive(id, time.Now(), false)
				arrive(id, false)
			}
		case 5:
			if len(ref.waiting) == 0 {
				continue
			}
			what = "cancel"
			k := next() % len(ref.waiting)
			cancels[ref.waiting[k].id]()
			ref.cancel(k)
		default:
			what = "pass"
			time.Sleep(time.Duration(next() % 40))
			ref.pass(time.Now())
		}
		synctest.Wait()
		for len(answers) > 0 {
			(<-answers)()
		}
		if !maps.Equal(got, ref.answers) {
			return fmt.Errorf("after %s: callers were told %v, want %v", what, got, ref.answers)
		}
		in, waiting := sut.counts()
		if in != uint64(len(ref.inside)) || waiting != uint64(len(ref.waiting)) {
			return fmt.Errorf("after %s: %d inside and %d waiting, want %d and %d", what, in, waiting, len(ref.inside), len(ref.waiting))
		}
	}
	return nil
}

func told(err error) answer {
	switch {
	case err == nil:
		return admitted
	case errors.Is(err, ErrFull):
		return full
	case errors.Is(err, ErrWait):
		return late
	case errors.Is(err, context.Canceled):
		return ended
	default:
		return answer(err.Error())
	}
}

func correct(c Config) subject { return real{New(c)} }

func FuzzBulkhead(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(random(seed, 200))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		synctest.Test(t, func(t *testing.T) {
			if err := check(data, correct); err != nil {
				t.Error(err)
			}
		})
	})
}

func TestRandomOperations(t *testing.T) {
	for seed := range uint64(500) {
		synctest.Test(t, func(t *testing.T) {
			if err := check(random(seed, 200), correct); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		})
	}
}

func random(seed uint64, n int) []byte {
	rng := rand.New(rand.NewPCG(seed, 98))
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	return data
}
