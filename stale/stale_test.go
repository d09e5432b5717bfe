package stale_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/stale"
)

var errDown = errors.New("down")

// source returns a function that yields v, or fails with err if that is not nil.
func source(v int, err error) func(context.Context, string) (int, error) {
	return func(context.Context, string) (int, error) { return v, err }
}

func TestServesTheLastGoodValueWhenTheSourceFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var events []mettle.Event
		c := stale.New[string, int](stale.Config{Name: "prices", MaxAge: time.Hour, Observer: func(_ context.Context, e mettle.Event) {
			events = append(events, e)
		}})
		do := func(fn func(context.Context, string) (int, error)) (stale.Value[int], error) {
			return c.Do(t.Context(), "tea", fn)
		}
		if v, err := do(source(0, errDown)); err != errDown || v != (stale.Value[int]{}) {
			t.Errorf("nothing kept yet: %+v, %v; want the source's error as it is", v, err)
		}
		if v, err := do(source(1, nil)); err != nil || v != (stale.Value[int]{Value: 1}) {
			t.Errorf("fresh: %+v, %v", v, err)
		}
		do(source(2, nil))
		time.Sleep(time.Hour)
		if v, err := do(source(9, errDown)); err != nil || v != (stale.Value[int]{Value: 2, Stale: true, Age: time.Hour, Err: errDown}) {
			t.Errorf("as old as may be: %+v, %v", v, err)
		}
		want := []mettle.Event{{Kind: mettle.FellBack, Policy: "stale", Name: "prices", Err: errDown, After: time.Hour}}
		if !reflect.DeepEqual(events, want) {
			t.Errorf("events %+v, want %+v", events, want)
		}
		time.Sleep(time.Nanosecond)
		if v, err := do(source(9, errDown)); err != errDown || v.Stale {
			t.Errorf("a nanosecond too old: %+v, %v", v, err)
		}
		if v, err := c.Do(t.Context(), "coffee", source(0, errDown)); err != errDown {
			t.Errorf("another key: %+v, %v", v, err)
		}
	})
}

func TestOnlyTheErrorsAskedForAreAnsweredStale(t *testing.T) {
	gone := errors.New("gone")
	c := stale.New[string, int](stale.Config{MaxAge: time.Hour, If: func(err error) bool { return !errors.Is(err, gone) }})
	c.Do(t.Context(), "a", source(1, nil))
	if _, err := c.Do(t.Context(), "a", source(0, gone)); err != gone {
		t.Errorf("error %v, want %v", err, gone)
	}
	if v, err := c.Do(t.Context(), "a", source(0, errDown)); err != nil || !v.Stale {
		t.Errorf("%+v, %v; want the stale value", v, err)
	}
	c.Forget("a")
	c.Forget("never there")
	if _, err := c.Do(t.Context(), "a", source(0, errDown)); err != errDown {
		t.Errorf("after Forget: %v, want %v", err, errDown)
	}
}

func TestACallerWhoLeftIsServedNothing(t *testing.T) {
	c := stale.New[string, int](stale.Config{MaxAge: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	c.Do(ctx, "a", source(1, nil))
	cancel()
	if v, err := c.Do(ctx, "a", source(0, context.Canceled)); err != context.Canceled || v.Stale {
		t.Errorf("%+v, %v; want the error", v, err)
	}
	// A deadline is the source's slowness, for which stale values are made.
	late, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	if v, err := c.Do(late, "a", source(0, late.Err())); err != nil || !v.Stale {
		t.Errorf("after a deadline: %+v, %v; want the stale value", v, err)
	}
}

func TestKeepsOnlyTheMostRecentlyUsedKeys(t *testing.T) {
	c := stale.New[int, int](stale.Config{MaxAge: time.Hour, Keys: 3})
	put := func(key int) {
		c.Do(t.Context(), key, func(context.Context, int) (int, error) { return 10 * key, nil })
	}
	kept := func(key int) bool {
		v, err := c.Do(t.Context(), key, func(context.Context, int) (int, error) { return 0, errDown })
		if err == nil && v.Value != 10*key {
			t.Errorf("key %d has %d", key, v.Value)
		}
		return err == nil
	}
	put(1)
	put(2)
	put(3)
	if !kept(1) { // and now used more recently than 2
		t.Error("1 is not kept")
	}
	put(4)
	for key, want := range map[int]bool{1: true, 2: false, 3: true, 4: true} {
		if kept(key) != want {
			t.Errorf("key %d kept: %v, want %v", key, !want, want)
		}
	}
	if d := c.Describe(); d.Kind != "stale" || d.Limit != 3 || d.Metrics[0].Value != 3 {
		t.Errorf("%+v", d)
	}
}

// Two calls for one key overlap, and the one that began first ends last: its answer is the older one.
func TestALateAnswerDoesNotReplaceANewerOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := stale.New[string, int](stale.Config{MaxAge: time.Hour})
		var wg sync.WaitGroup
		wg.Go(func() {
			c.Do(t.Context(), "a", func(context.Context, string) (int, error) {
				time.Sleep(2 * time.Second)
				return 1, nil
			})
		})
		time.Sleep(time.Second)
		c.Do(t.Context(), "a", source(2, nil))
		wg.Wait()
		if v, err := c.Do(t.Context(), "a", source(0, errDown)); err != nil || v.Value != 2 || v.Age != time.Second {
			t.Errorf("%+v, %v; want the newer value, of a second ago", v, err)
		}
	})
}

func TestConcurrentUse(t *testing.T) {
	c := stale.New[int, int](stale.Config{MaxAge: time.Hour, Keys: 4, Observer: func(context.Context, mettle.Event) {}})
	var wg sync.WaitGroup
	for g := range 64 {
		wg.Go(func() {
			for i := range 200 {
				key := (g + i) % 8
				v, err := c.Do(t.Context(), key, func(context.Context, int) (int, error) {
					if i%3 == 0 {
						return 0, errDown
					}
					return key, nil
				})
				if err == nil && v.Value != key || err != nil && err != errDown {
					t.Errorf("key %d: %+v, %v", key, v, err)
				}
				c.Describe()
			}
		})
	}
	wg.Wait()
}

func TestBadConfigIsLoud(t *testing.T) {
	for want, cfg := range map[string]stale.Config{
		"stale: Config.MaxAge is 0s, want more than 0":  {},
		"stale: Config.MaxAge is -1s, want more than 0": {MaxAge: -time.Second},
		"stale: Config.Keys is -1, want 0 or more":      {MaxAge: 1, Keys: -1},
	} {
		func() {
			defer func() {
				if got := recover(); got != want {
					t.Errorf("New panics with %v, want %s", got, want)
				}
			}()
			stale.New[string, int](cfg)
		}()
	}
}

func ExampleCache_Do() {
	prices := stale.New[string, int](stale.Config{Name: "prices", MaxAge: time.Hour})
	up := true
	price := func(context.Context, string) (int, error) {
		if !up {
			return 0, errors.New("shop: closed")
		}
		return 42, nil
	}
	v, err := prices.Do(context.Background(), "tea", price)
	fmt.Println(v.Value, v.Stale, err)
	up = false
	v, err = prices.Do(context.Background(), "tea", price)
	fmt.Println(v.Value, v.Stale, v.Err, err)
	_, err = prices.Do(context.Background(), "coffee", price)
	fmt.Println(err)
	// Output:
	// 42 false <nil>
	// 42 true shop: closed <nil>
	// shop: closed
}
