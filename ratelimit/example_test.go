package ratelimit_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/ratelimit"
)

func ExampleNew() {
	search := ratelimit.New(ratelimit.Config{Name: "search", Rate: 100, Burst: 20})

	hits, err := mettle.Call(context.Background(), search, func(ctx context.Context) (int, error) {
		return 12, nil // in your program: ask the index
	})
	fmt.Println(hits, err)
	// Output: 12 <nil>
}

func ExampleLimiter_Do() {
	l := ratelimit.New(ratelimit.Config{Name: "reports", Rate: 1, Per: time.Hour, Burst: 1})
	render := func(context.Context) error { return nil }

	fmt.Println(l.Do(context.Background(), render))
	err := l.Do(context.Background(), render)
	fmt.Println(err, errors.Is(err, ratelimit.ErrLimited), errors.Is(err, mettle.ErrRejected))
	// Output:
	// <nil>
	// mettle: rejected by ratelimit reports: ratelimit: limited true true
}

func ExampleLimiter_Allow() {
	l := ratelimit.New(ratelimit.Config{Rate: 1, Per: time.Hour, Burst: 2})
	fmt.Println(l.Allow(), l.Allow(), l.Allow())
	// Output: true true false
}

func ExampleLimiter_AllowN() {
	records := ratelimit.New(ratelimit.Config{Rate: 1, Per: time.Hour, Burst: 100})
	fmt.Println(records.AllowN(80), records.AllowN(30), records.AllowN(20))
	// Output: true false true
}

func ExampleLimiter_Acquire() {
	l := ratelimit.New(ratelimit.Config{Rate: 1000, Burst: 1, MaxWait: time.Second})
	for page := range 3 {
		if _, err := l.Acquire(context.Background()); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("page", page) // at most one each millisecond
	}
	// Output:
	// page 0
	// page 1
	// page 2
}

func ExampleLimiter_AcquireN() {
	rows := ratelimit.New(ratelimit.Config{Name: "rows", Rate: 1000, Burst: 500, MaxWait: time.Second})
	fmt.Println(rows.AcquireN(context.Background(), 500))
	fmt.Println(rows.AcquireN(context.Background(), 501)) // never
	// Output:
	// <nil>
	// mettle: rejected by ratelimit rows: ratelimit: limited
}

func ExampleLimiter_Reserve() {
	l := ratelimit.New(ratelimit.Config{Rate: 1, Per: time.Hour, Burst: 1})
	l.Allow()

	r := l.Reserve()
	if delay := r.Delay(); delay > time.Minute {
		r.Cancel() // the token is there for another
		fmt.Println("too long:", delay.Round(time.Hour))
	}
	fmt.Println(r.OK())
	// Output:
	// too long: 1h0m0s
	// false
}

func ExampleLimiter_ReserveN() {
	l := ratelimit.New(ratelimit.Config{Rate: 1, Per: time.Hour, Burst: 10})
	fmt.Println(l.ReserveN(10).Delay(), l.ReserveN(3).Delay().Round(time.Hour), l.ReserveN(11).OK())
	// Output: 0s 3h0m0s false
}

func ExampleReservation_Cancel() {
	l := ratelimit.New(ratelimit.Config{Rate: 1, Per: time.Hour, Burst: 1})
	r := l.Reserve()
	r.Cancel()
	r.Cancel() // only the first counts
	fmt.Println(l.Allow(), l.Allow())
	// Output: true false
}

func ExampleLimiter_SetRate() {
	l := ratelimit.New(ratelimit.Config{Rate: 1, Per: time.Hour, Burst: 1})
	l.Allow()
	r := l.Reserve()
	fmt.Println(r.Delay().Round(time.Minute))
	l.SetRate(60, time.Hour) // for those who wait, too
	fmt.Println(r.Delay().Round(time.Minute))
	// Output:
	// 1h0m0s
	// 1m0s
}

func ExampleLimiter_Fresh() {
	l := ratelimit.New(ratelimit.Config{Rate: 1, Per: time.Hour, Burst: 1})
	fmt.Println(l.Fresh())
	l.Allow()
	fmt.Println(l.Fresh()) // a new one in its place would admit one call more
	// Output:
	// true
	// false
}

func ExampleLimiter_Describe() {
	l := ratelimit.New(ratelimit.Config{Name: "search", Rate: 60, Per: time.Hour, Burst: 20})
	l.AllowN(5)
	d := l.Describe()
	fmt.Println(d.Kind, d.Name, d.Limit)
	for _, m := range d.Metrics {
		fmt.Println(m.Name, m.Value)
	}
	// Output:
	// ratelimit search 60
	// available 15
	// waiting 0
	// admitted 1
	// waited 0
	// rejections 0
	// per_seconds 3600
	// burst 20
}

func ExampleConfig_Validate() {
	fmt.Println(ratelimit.Config{Rate: 100}.Validate())
	// Output: ratelimit: Config.Burst is 0, want 1 or more
}

// Where the other side counts exactly, a bucket lets too much through.
func ExampleConfig_strict() {
	l := ratelimit.New(ratelimit.Config{Rate: 3, Per: time.Hour, Strict: true})
	for range 4 {
		fmt.Println(l.Allow())
	}
	// Output:
	// true
	// true
	// true
	// false
}
