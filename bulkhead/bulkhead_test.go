package bulkhead_test

import (
	"context"
	"errors"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/bulkhead"
	"github.com/mettle-go/mettle/internal/layer"
)

var bg = context.Background()

var (
	_ mettle.Gate      = (*bulkhead.Bulkhead)(nil)
	_ mettle.Describer = (*bulkhead.Bulkhead)(nil)
	_ layer.Gate       = (*bulkhead.Bulkhead)(nil)
)

// occupy takes n places and returns what gives one back.
func occupy(t *testing.T, b *bulkhead.Bulkhead, n int) func() {
	t.Helper()
	var permits []mettle.Permit
	for range n {
		p, err := b.Acquire(bg)
		if err != nil {
			t.Fatal(err)
		}
		permits = append(permits, p)
	}
	return func() {
		permits[0].Done(nil)
		permits = permits[1:]
	}
}

func wantCounts(t *testing.T, b *bulkhead.Bulkhead, inside, waiting float64) {
	t.Helper()
	m := b.Describe().Metrics
	if m[0].Value != inside || m[1].Value != waiting {
		t.Fatalf("%v inside and %v waiting, want %v and %v", m[0].Value, m[1].Value, inside, waiting)
	}
}

func wantRejection(t *testing.T, err error, reasons ...error) *mettle.RejectedError {
	t.Helper()
	rejected, ok := errors.AsType[*mettle.RejectedError](err)
	if !ok || !errors.Is(err, mettle.ErrRejected) {
		t.Fatalf("got %v, want a rejection", err)
	}
	for _, reason := range reasons {
		if !errors.Is(err, reason) {
			t.Errorf("%v is not %v", err, reason)
		}
	}
	return rejected
}

func TestSemantics2ARejectionMeansTheFunctionDidNotRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		must := func(context.Context) error {
			t.Error("the function ran")
			return nil
		}
		b := bulkhead.New(bulkhead.Config{Name: "db", Limit: 1})
		leave := occupy(t, b, 1)
		full := wantRejection(t, b.Do(bg, must), bulkhead.ErrFull)
		if full.Policy != "bulkhead" || full.Name != "db" || !strings.Contains(full.Error(), "db: bulkhead: full") {
			t.Errorf("the rejection is %q by %q %q", full, full.Policy, full.Name)
		}
		if d, ok := full.RetryAfter(); ok {
			t.Errorf("it claims to know that a place comes free in %v", d)
		}
		leave()

		b = bulkhead.New(bulkhead.Config{Limit: 1, Queue: 1, MaxWait: time.Second})
		leave = occupy(t, b, 1)
		begun := time.Now()
		wantRejection(t, b.Do(bg, must), bulkhead.ErrWait)
		if took := time.Since(begun); took != time.Second {
			t.Errorf("rejected after %v, want 1s", took)
		}
		wantCounts(t, b, 1, 0)
		leave()
		wantCounts(t, b, 0, 0)
	})
}

func TestSemantics2AContextThatEndsInTheQueueIsARejection(t *testing.T) {
	why := errors.New("shutting down")
	for _, tc := range []struct {
		name string
		ctx  func() (context.Context, func())
		want []error
		text string
	}{
		{"canceled", func() (context.Context, func()) {
			ctx, cancel := context.WithCancel(bg)
			return ctx, cancel
		}, []error{context.Canceled}, "context canceled"},
		{"canceled with a cause", func() (context.Context, func()) {
			ctx, cancel := context.WithCancelCause(bg)
			return ctx, func() { cancel(why) }
		}, []error{context.Canceled, why}, "shutting down"},
		{"a deadline", func() (context.Context, func()) {
			ctx, cancel := context.WithTimeout(bg, time.Second)
			return ctx, func() { time.Sleep(2 * time.Second); cancel() }
		}, []error{context.DeadlineExceeded}, "deadline exceeded"},
		{"a deadline with a cause", func() (context.Context, func()) {
			ctx, cancel := context.WithTimeoutCause(bg, time.Second, why)
			return ctx, func() { time.Sleep(2 * time.Second); cancel() }
		}, []error{context.DeadlineExceeded, why}, "shutting down"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := bulkhead.New(bulkhead.Config{Limit: 1, Queue: 2})
				leave := occupy(t, b, 1)
				ctx, end := tc.ctx()
				result := make(chan error, 1)
				go func() { result <- b.Do(ctx, nothing) }()
				synctest.Wait()
				wantCounts(t, b, 1, 1)
				end()
				err := <-result
				wantRejection(t, err, tc.want...)
				if !strings.Contains(err.Error(), tc.text) {
					t.Errorf("the message is %q", err)
				}
				wantCounts(t, b, 1, 0)
				// Now that it has ended, the context is turned away at once where it would wait, and let in
				// where it need not.
				wantRejection(t, b.Do(ctx, nothing), tc.want...)
				leave()
				if err := b.Do(ctx, nothing); err != nil {
					t.Errorf("with a free place: %v", err)
				}
			})
		})
	}
}

func TestSemantics4PermitsComeBackOnPanicAndGoexit(t *testing.T) {
	for name, fn := range map[string]func(){
		"return":  func() {},
		"panic":   func() { panic("boom") },
		"goexit":  runtime.Goexit,
		"nothing": nil,
	} {
		t.Run(name, func(t *testing.T) {
			b := bulkhead.New(bulkhead.Config{Limit: 2})
			for range 5 {
				done := make(chan any)
				go func() {
					defer func() { done <- recover() }()
					b.Do(bg, func(context.Context) error {
						if fn == nil {
							return errors.New("failed")
						}
						fn()
						return nil
					})
				}()
				if p := <-done; name == "panic" && p != "boom" {
					t.Errorf("the panic came out as %v", p)
				}
				wantCounts(t, b, 0, 0)
			}
		})
	}
}

// A panic hands its place on like any other end.
func TestSemantics4APanicWakesTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bulkhead.New(bulkhead.Config{Limit: 1, Queue: 1})
		hold := make(chan struct{})
		go func() {
			defer func() { recover() }()
			b.Do(bg, func(context.Context) error {
				<-hold
				panic("boom")
			})
		}()
		synctest.Wait()
		ran := make(chan error, 1)
		go func() { ran <- b.Do(bg, nothing) }()
		synctest.Wait()
		close(hold)
		if err := <-ran; err != nil {
			t.Error(err)
		}
		wantCounts(t, b, 0, 0)
	})
}

// over is one more than the largest limit, or less than 0 where an int has 32 bits.
var over = func(most int) int { return most + 1 }(math.MaxInt32)

func TestSemantics9BadConfigurationIsLoud(t *testing.T) {
	for _, tc := range []struct {
		config bulkhead.Config
		want   string
	}{
		{bulkhead.Config{}, "bulkhead: Config.Limit is 0, want 1 or more"},
		{bulkhead.Config{Limit: -1}, "bulkhead: Config.Limit is -1, want 1 or more"},
		{bulkhead.Config{Limit: over}, "bulkhead: Config.Limit is 2147483648, want 2147483647 or less"},
		{bulkhead.Config{Limit: 1, Queue: -1}, "bulkhead: Config.Queue is -1, want 0 to 2147483647"},
		{bulkhead.Config{Limit: 1, Queue: over}, "bulkhead: Config.Queue is 2147483648, want 0 to 2147483647"},
		{bulkhead.Config{Limit: 1, MaxWait: -1}, "bulkhead: Config.MaxWait is -1ns, want 0 or more"},
		{bulkhead.Config{Limit: 1, Order: 2}, "bulkhead: Config.Order is Order(2), want FIFO or LIFO"},
		{bulkhead.Config{Limit: 1, Order: -1}, "bulkhead: Config.Order is Order(-1), want FIFO or LIFO"},
	} {
		if over < 0 && strings.Contains(tc.want, "2147483648") {
			continue // an int cannot be so large
		}
		err := tc.config.Validate()
		if err == nil || err.Error() != tc.want {
			t.Errorf("Validate says %v, want %s", err, tc.want)
		}
		func() {
			defer func() {
				if p := recover(); p != tc.want {
					t.Errorf("New panics with %v, want %s", p, tc.want)
				}
			}()
			bulkhead.New(tc.config)
		}()
	}
	if err := (bulkhead.Config{Limit: 1<<31 - 1, Queue: 1<<31 - 1, MaxWait: 1<<63 - 1, Order: bulkhead.LIFO}).Validate(); err != nil {
		t.Error(err)
	}
}

func TestSemantics10TheLongestWaitIsNoShortOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bulkhead.New(bulkhead.Config{Limit: 1, Queue: 1, MaxWait: 1<<63 - 1})
		leave := occupy(t, b, 1)
		result := make(chan error, 1)
		go func() { result <- b.Do(bg, nothing) }()
		time.Sleep(1000 * time.Hour)
		wantCounts(t, b, 1, 1)
		leave()
		if err := <-result; err != nil {
			t.Error(err)
		}
	})
}

func TestSemantics12ObserversMayCallBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b *bulkhead.Bulkhead
		var events []mettle.Event
		depth := 0
		b = bulkhead.New(bulkhead.Config{Name: "db", Limit: 1, Queue: 1, MaxWait: time.Second, Observer: func(ctx context.Context, e mettle.Event) {
			events = append(events, e)
			b.Describe()
			if depth++; depth == 1 {
				if err := b.Do(ctx, nothing); !errors.Is(err, bulkhead.ErrWait) {
					t.Errorf("a call from the observer: %v", err)
				}
			}
		}})
		leave := occupy(t, b, 1)
		err := b.Do(bg, nothing)
		leave()
		if len(events) != 2 {
			t.Fatalf("%d events, want 2", len(events))
		}
		if want := (mettle.Event{Kind: mettle.Rejected, Policy: "bulkhead", Name: "db", Err: err}); events[0] != want {
			t.Errorf("got %+v, want %+v", events[0], want)
		}
	})
}

func TestFirstInFirstOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bulkhead.New(bulkhead.Config{Limit: 1, Queue: 100})
		leave := occupy(t, b, 1)
		var order []int
		cancels := map[int]context.CancelFunc{}
		for i := range 10 {
			ctx, cancel := context.WithCancel(bg)
			cancels[i] = cancel
			go b.Do(ctx, func(context.Context) error {
				order = append(order, i) // one at a time: that is the point
				return nil
			})
			synctest.Wait()
		}
		wantCounts(t, b, 1, 10)
		// The first, the last and one in the middle leave.
		for _, i := range []int{0, 9, 4} {
			cancels[i]()
			synctest.Wait()
		}
		wantCounts(t, b, 1, 7)
		leave()
		synctest.Wait()
		if want := []int{1, 2, 3, 5, 6, 7, 8}; !slices.Equal(order, want) {
			t.Errorf("they ran in the order %v, want %v", order, want)
		}
		wantCounts(t, b, 0, 0)
		for _, cancel := range cancels {
			cancel()
		}
	})
}

// The place of one who leaves belongs to the first in the queue from that moment on, though he has not got up yet.
func TestNobodyPassesTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := bulkhead.New(bulkhead.Config{Limit: 1, Queue: 1})
		for range 100 {
			leave := occupy(t, b, 1)
			first := make(chan mettle.Permit, 1)
			go func() {
				p, err := b.Acquire(bg)
				if err != nil {
					t.Error(err)
				}
				first <- p
			}()
			synctest.Wait()
			leave()
			ctx, cancel := context.WithCancel(bg)
			cancel()
			if _, err := b.Acquire(ctx); err == nil {
				t.Fatal("a newcomer passed the queue")
			}
			p := <-first
			p.Done(nil)
		}
	})
}

func TestAConfigChangedAfterNewChangesNothing(t *testing.T) {
	c := bulkhead.Config{Limit: 1}
	b := bulkhead.New(c)
	c.Limit = 2
	occupy(t, b, 1)
	wantRejection(t, b.Do(bg, nothing), bulkhead.ErrFull)
}

// A failing call is none of the bulkhead's business.
func TestErrorsPassAsTheyAre(t *testing.T) {
	b := bulkhead.New(bulkhead.Config{Limit: 1})
	boom := errors.New("boom")
	if err := b.Do(bg, func(context.Context) error { return boom }); err != boom {
		t.Errorf("got %v", err)
	}
	v, err := mettle.Call(bg, b, func(context.Context) (int, error) { return 7, nil })
	if v != 7 || err != nil {
		t.Errorf("got %d, %v", v, err)
	}
}

func TestAStackGivesThePlaceBack(t *testing.T) {
	b := bulkhead.New(bulkhead.Config{Limit: 1})
	stack := mettle.Compose(b)
	for range 3 {
		if err := stack.Do(bg, nothing); err != nil {
			t.Fatal(err)
		}
		wantCounts(t, b, 0, 0)
	}
}
