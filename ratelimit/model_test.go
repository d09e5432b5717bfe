package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle/internal/clock"
	core "github.com/mettle-go/mettle/internal/core/ratelimit"
)

// A machine is what both cores can do, without a lock or a word, one thing after the other.
type machine interface {
	take(now int64, n int, within int64) (*ticket, int64, bool)
	cancel(t *ticket, now int64)
	wait(t *ticket, now int64) int64
	setRate(rate int, per time.Duration, now int64)
	available(now int64) int64
}

type ticket struct {
	slot core.Slot
	id   int64
	n    int
	void bool
}

type bucket struct {
	line core.Line
	all  []*ticket
}

func (b *bucket) take(now int64, n int, within int64) (*ticket, int64, bool) {
	slot, wait, ok := b.line.Take(now, int64(n), within)
	t := &ticket{slot: slot, n: n}
	b.all = append(b.all, t)
	return t, wait, ok
}
func (b *bucket) cancel(t *ticket, now int64) { b.line.Cancel(t.slot, now) }
func (b *bucket) wait(t *ticket, now int64) int64 {
	_, wait, _ := b.line.Wait(t.slot.From, now, int64(t.n))
	return wait
}
func (b *bucket) setRate(rate int, per time.Duration, now int64) {
	from, to := b.line.Pace, core.NewPace(core.Interval(int64(rate), int64(per)), b.line.Burst)
	b.line.Rescale(to, now)
	for _, t := range b.all {
		t.slot = core.Slot{From: core.Shift(t.slot.From, now, &from, &to), To: core.Shift(t.slot.To, now, &from, &to)}
	}
}
func (b *bucket) available(now int64) int64 { return b.line.Available(now) }

type window struct {
	log *core.Log
	all []*ticket
}

func (w *window) take(now int64, n int, within int64) (*ticket, int64, bool) {
	if n > w.log.Rate {
		return nil, 0, false
	}
	id, wait, ok := w.log.Take(now, n, within)
	t := &ticket{id: id, n: n}
	if ok {
		w.all = append(w.all, t)
	}
	return t, wait, ok
}
func (w *window) cancel(t *ticket, now int64) {
	if !t.void {
		w.log.Cancel(t.id, t.n, now)
	}
}
func (w *window) wait(t *ticket, now int64) int64 {
	if t.void {
		return math.MaxInt64
	}
	return max(0, max(w.log.At(t.id), now)-now)
}
func (w *window) setRate(rate int, per time.Duration, now int64) {
	for _, id := range w.log.SetRate(rate, int64(per), now) {
		for _, t := range w.all {
			t.void = t.void || t.id == id && t.n > rate
		}
	}
}
func (w *window) available(now int64) int64 { return int64(w.log.Available(now)) }

// A guest is a call that waits.
type guest struct {
	*ticket
	id     int
	until  int64 // the longest that he waits
	cancel context.CancelFunc
}

// check makes operations of the bytes, does them to a Limiter and to a machine, and returns the first difference. It runs in a bubble.
func check(data []byte, with func(Config) *Limiter) (err error) {
	next := func() int {
		if len(data) == 0 {
			return 0
		}
		b := data[0]
		data = data[1:]
		return int(b)
	}
	shape := next()
	c := Config{Rate: 1 + shape%5, Per: 100, Burst: 1 + shape/5%4, MaxWait: []time.Duration{0, 70, 1000}[shape/20%3], Strict: shape/60%2 == 1}
	var ref machine = &bucket{line: core.Line{Pace: core.NewPace(core.Interval(int64(c.Rate), 100), int64(c.Burst)), TAT: core.Unset}}
	if c.Strict {
		c.Burst = 0
		ref = &window{log: core.NewLog(c.Rate, 100)}
	}
	most := max(c.Burst, c.Rate*(shape/60%2))
	l := with(c)
	now := func() int64 { return int64(clock.Now()) }
	want, got := map[int]string{}, map[int]string{}
	var waiting []*guest
	type held struct {
		Reservation
		*ticket
	}
	var booked []held
	answers := make(chan func(), 2000)
	var ends []context.CancelFunc
	defer func() {
		for _, end := range ends {
			end()
		}
		for _, g := range waiting {
			g.cancel()
		}
		synctest.Wait()
	}()
	// due has those who waited long enough begin.
	due := func() {
		var left []*guest
		for _, g := range waiting {
			if ref.wait(g.ticket, now()) > 0 {
				left = append(left, g)
				continue
			}
			want[g.id] = "admitted"
			ends = append(ends, g.cancel) // later: he may not have got up yet
		}
		waiting = left
	}
	for id := 0; len(data) > 0 && id < 400; id++ {
		what := ""
		switch op := next(); op % 16 {
		case 0, 1:
			what = "Allow"
			_, _, admitted := ref.take(now(), 1, 0)
			if l.Allow() != admitted {
				return fmt.Errorf("Allow is %v, want %v", !admitted, admitted)
			}
		case 2:
			what = "AllowN"
			n := 1 + next()%4
			admitted := n <= most
			if admitted {
				_, _, admitted = ref.take(now(), n, 0)
			}
			if l.AllowN(n) != admitted {
				return fmt.Errorf("AllowN(%d) is %v, want %v", n, !admitted, admitted)
			}
		case 3, 4, 5, 6, 7:
			what = "Acquire"
			n, patience := 1, int64(c.MaxWait)
			if op >= 192 {
				n += next() % 4
			}
			ctx, cancel := context.WithCancel(context.Background())
			if op >= 128 && c.MaxWait > 0 {
				d := 1 + next()
				ctx, cancel = context.WithTimeout(ctx, time.Duration(d))
				patience = min(patience, int64(d)-1)
			}
			if n > most {
				want[id] = "limited"
				ends = append(ends, cancel)
			} else if t, wait, ok := ref.take(now(), n, patience); !ok {
				want[id] = "limited"
				ends = append(ends, cancel)
			} else if wait == 0 {
				want[id] = "admitted"
				ends = append(ends, cancel)
			} else {
				waiting = append(waiting, &guest{t, id, now() + patience, cancel})
			}
			go func() {
				a := told(l.AcquireN(ctx, n))
				answers <- func() { got[id] = a }
			}()
		case 8, 9:
			if len(waiting) == 0 {
				continue
			}
			what = "cancel"
			k := next() % len(waiting)
			g := waiting[k]
			waiting = append(waiting[:k:k], waiting[k+1:]...)
			g.cancel()
			ref.cancel(g.ticket, now())
			want[g.id] = "canceled"
		case 10:
			what = "Reserve"
			n := 1 + next()%2
			r := l.ReserveN(n)
			if r.OK() != (n <= most) {
				return fmt.Errorf("a reservation of %d is OK: %v", n, r.OK())
			}
			if r.OK() {
				t, _, _ := ref.take(now(), n, math.MaxInt64)
				booked = append(booked, held{r, t})
			}
		case 11:
			if len(booked) == 0 {
				continue
			}
			what = "Reservation.Cancel"
			k := next() % len(booked)
			booked[k].Cancel()
			booked[k].Cancel()
			ref.cancel(booked[k].ticket, now())
			booked = append(booked[:k:k], booked[k+1:]...)
		case 12:
			if op < 128 {
				continue
			}
			what = "SetRate"
			rate, per := 1+next()%8, time.Duration(20+next())
			ref.setRate(rate, per, now())
			l.SetRate(rate, per)
			if c.Strict {
				most = rate
			}
			due()
			var left []*guest
			for _, g := range waiting {
				if wait := ref.wait(g.ticket, now()); wait > g.until-now() {
					want[g.id] = "limited"
					ref.cancel(g.ticket, now())
					ends = append(ends, g.cancel)
					continue
				}
				left = append(left, g)
			}
			waiting = left
		default:
			what = "pass"
			for range next() % 64 {
				time.Sleep(time.Nanosecond)
				due()
			}
		}
		synctest.Wait()
		for len(answers) > 0 {
			(<-answers)()
		}
		if !maps.Equal(got, want) {
			return fmt.Errorf("after %s: callers were told %v, want %v", what, got, want)
		}
		for _, b := range booked {
			if got, want := int64(b.Delay()), ref.wait(b.ticket, now()); got != want {
				return fmt.Errorf("after %s: a delay of %d, want %d", what, got, want)
			}
		}
		m := l.Describe().Metrics
		if got, want := m[0].Value, float64(ref.available(now())); got != want {
			return fmt.Errorf("after %s: %v available, want %v", what, got, want)
		}
		if got, want := m[1].Value, float64(len(waiting)); got != want {
			return fmt.Errorf("after %s: %v wait, want %v", what, got, want)
		}
	}
	return nil
}

func told(err error) string {
	switch {
	case err == nil:
		return "admitted"
	case errors.Is(err, ErrLimited):
		return "limited"
	case errors.Is(err, context.Canceled):
		return "canceled"
	default:
		return err.Error()
	}
}

func random(seed uint64, n int) []byte {
	data := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), 15}).Read(data)
	return data
}

func FuzzLimiter(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(random(seed, 300))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		synctest.Test(t, func(t *testing.T) {
			if err := check(data, New); err != nil {
				t.Error(err)
			}
		})
	})
}

func TestRandomOperations(t *testing.T) {
	for seed := range uint64(500) {
		synctest.Test(t, func(t *testing.T) {
			if err := check(random(seed, 300), New); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		})
	}
}
