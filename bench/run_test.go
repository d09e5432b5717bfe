package main

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// Within a bubble time stands still but for sleeps, so that a contender takes exactly as long as it says.
func sleeper(name string, each time.Duration, log *[]string) contender {
	return contender{name: name, check: func(*bed) error { return nil }, start: func(b *bed) loop {
		b.cleanup(func() { *log = append(*log, "end of "+name) })
		return func(_ context.Context, n int) error {
			*log = append(*log, name)
			time.Sleep(time.Duration(n) * each)
			return nil
		}
	}}
}

func TestMeasureTakesTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log []string
		r := row{name: "sleep", what: "sleep", contenders: []contender{
			sleeper("a", 10, &log), sleeper("b", 20, &log), sleeper("c", 50, &log),
		}}
		res, err := r.measure(t.Context(), plan{4, 1000, func() { log = append(log, " ") }})
		if err != nil {
			t.Fatal(err)
		}
		if ends := log[len(log)-3:]; !slices.Equal(ends, []string{"end of c", "end of b", "end of a"}) {
			t.Errorf("ended %v, want c, b, a", ends)
		}
		rounds := strings.Join(log[len(log)-27:len(log)-3], "")
		if rounds != " a b c b c a c a b a b c" {
			t.Errorf("the rounds went %s, want a b c, b c a, c a b, a b c, tidied before each", rounds)
		}
		for i, want := range []figure{
			{Contender: "a", Low: 10, Median: 10, High: 10, Ratio: 1},
			{Contender: "b", Low: 20, Median: 20, High: 20, Ratio: 2},
			{Contender: "c", Low: 50, Median: 50, High: 50, Ratio: 5},
		} {
			got := res.Figures[i]
			got.Bytes, got.Allocs = 0, 0
			if got != want {
				t.Errorf("figure %d is %+v, want %+v", i, got, want)
			}
		}
	})
}

func TestCalibrateFindsHowManyCallsTakeAChunk(t *testing.T) {
	for each, want := range map[time.Duration]int{1: 1000, 7: 142, 300: 3, 1000: 1, 5000: 1} {
		synctest.Test(t, func(t *testing.T) {
			var log []string
			n, err := calibrate(t.Context(), sleeper("", each, &log).start(new(bed)), 1000)
			if n != want || err != nil {
				t.Errorf("calls of %v: %d in %v, error %v, want %d", each, n, time.Duration(1000), err, want)
			}
		})
	}
}

// A slow machine slows a whole round. The ratio is that of the rounds, not that of the medians.
func TestSumTakesTheRatioOfEachRound(t *testing.T) {
	r := row{contenders: []contender{{name: "a"}, {name: "b"}}}
	res := r.sum([][]sample{
		{{ns: 10, allocs: 1, bytes: 8}, {ns: 100, allocs: 1, bytes: 8}, {ns: 11, allocs: 3, bytes: 64}},
		{{ns: 20}, {ns: 200}, {ns: 500}},
	})
	a, b := res.Figures[0], res.Figures[1]
	if a.Median != 11 || a.Low != 10.5 || a.High != 55.5 || a.Ratio != 1 || a.Allocs != 1 || a.Bytes != 8 {
		t.Errorf("a is %+v", a)
	}
	if b.Median != 200 || b.Ratio != 2 {
		t.Errorf("b is %+v, want a median of 200 and, though a's is 11, a ratio of 2", b)
	}
}

func TestOnceCountsAllocations(t *testing.T) {
	var kept []*[64]byte
	s, err := once(t.Context(), func(_ context.Context, n int) error {
		for range n {
			kept = append(kept[:0], new([64]byte))
		}
		return nil
	}, 10000)
	runtime.KeepAlive(kept)
	if err != nil || short(s.allocs) != "1" || s.bytes < 64 || s.bytes > 80 {
		t.Errorf("counted %v allocations of %v bytes, error %v, want 1 of 64", s.allocs, s.bytes, err)
	}
}

func TestWhoFailsIsNamed(t *testing.T) {
	lame := contender{
		name:  "lame",
		check: func(*bed) error { return errDown },
		start: func(*bed) loop { return func(context.Context, int) error { return errDown } },
	}
	late := contender{name: "late", start: func(*bed) loop {
		calls := 0
		return func(context.Context, int) error {
			if calls++; calls > 2 {
				return errDown
			}
			return nil
		}
	}}
	var log []string
	fine := sleeper("fine", 1, &log)
	for want, err := range map[string]error{
		"bench: row: lame: down":  row{name: "row", contenders: []contender{fine, lame}}.verify(),
		"bench: row2: lame: down": second(row{name: "row2", contenders: []contender{fine, lame}}.measure(t.Context(), plan{1, 1, runtime.GC})),
		"bench: row3: late: down": second(row{name: "row3", contenders: []contender{late}}.measure(t.Context(), plan{9, 1, runtime.GC})),
	} {
		if err == nil || err.Error() != want || !errors.Is(err, errDown) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestACrowdSharesTheCalls(t *testing.T) {
	for _, n := range []int{0, 1, 3, 16, 100} {
		var calls atomic.Int64
		l := together(3, nothing)(func(context.Context, func(context.Context) error) error { calls.Add(1); return nil })
		if err := l(t.Context(), n); err != nil || calls.Load() != int64(n) {
			t.Errorf("made %d calls, error %v, want %d", calls.Load(), err, n)
		}
	}
}

func TestBedEndsTheLastFirst(t *testing.T) {
	var ended []int
	b := new(bed)
	for i := range 3 {
		b.cleanup(func() { ended = append(ended, i) })
	}
	b.close()
	b.close()
	if !slices.Equal(ended, []int{2, 1, 0}) {
		t.Errorf("ended %v, want 2 1 0, once", ended)
	}
}
