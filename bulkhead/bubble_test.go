package bulkhead

import (
	"context"
	"fmt"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	core "github.com/mettle-go/mettle/internal/core/bulkhead"
)

// check makes operations of the bytes, does them to a bulkhead with a goroutine for each call, and to the model, and returns the
// first difference. It runs in a bubble, where it leaves no goroutine behind.
func check(data script, with func(Config) steps) (err error) {
	config := data.shape()
	ref, sut := modelOf(config), with(config)
	b := sut.state()
	got := map[int]answer{}
	cancels := map[int]context.CancelFunc{}
	defer func() {
		for _, cancel := range cancels {
			cancel()
		}
		synctest.Wait()
	}()
	answers := make(chan func(), 1000)
	arrive := func(id, n int, over bool) {
		ref.arrive(id, n, time.Now(), over)
		ctx, cancel := context.WithCancel(context.Background())
		cancels[id] = cancel
		if over {
			cancel()
		}
		go func() {
			_, err := sut.enter(ctx, -1<<59, int64(n))
			answers <- func() { got[id] = told(err) }
		}()
	}
	for id := 0; len(data) > 0 && id < 500; {
		what := ""
		// No two arrive in the same instant, or their time would be up in the same instant, and who is first then is anybody's guess.
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		ref.pass(time.Now())
		switch op := data.next(); op % 8 {
		case 0, 1, 2:
			what = "arrive"
			id++
			arrive(id, weight(data.next()), op == 2)
		case 3, 4:
			if len(ref.inside) == 0 {
				continue
			}
			what = "leave"
			k := data.next() % len(ref.inside)
			n := ref.inside[k].n
			ref.leave(k)
			sut.leave(int64(n))
			if op >= 128 { // and another comes before the one whose turn it is has got up
				what = "leave and arrive"
				id++
				arrive(id, weight(data.next()), false)
			}
		case 5:
			if len(ref.waiting) == 0 {
				continue
			}
			what = "cancel"
			k := data.next() % len(ref.waiting)
			cancels[ref.waiting[k].id]()
			ref.quit(k, ended)
		case 6:
			what = "pass"
			time.Sleep(time.Duration(data.next() % 40))
			synctest.Wait()
			ref.pass(time.Now())
		default:
			if op < 128 {
				continue
			}
			what = "limit"
			n := 1 + data.next()%6
			ref.setLimit(n)
			sut.resize(int64(n))
		}
		synctest.Wait()
		for len(answers) > 0 {
			(<-answers)()
		}
		if !maps.Equal(got, ref.answers) {
			return fmt.Errorf("after %s: callers were told %v, want %v", what, got, ref.answers)
		}
		free, waiting := core.Counts(b.word.Load())
		if int(free) != ref.free() || int(waiting) != len(ref.waiting) {
			return fmt.Errorf("after %s: %d free and %d waiting, want %d and %d", what, free, waiting, ref.free(), len(ref.waiting))
		}
	}
	return nil
}

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
