package keyed_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/bulkhead"
	"github.com/mettle-go/mettle/keyed"
)

func TestFaultsLeaveTheMapWhole(t *testing.T) {
	bad := ""
	m := keyed.New(keyed.Config[string]{Max: 1, New: func(k string) mettle.Policy {
		switch bad {
		case "panic":
			panic("no " + k)
		case "goexit":
			runtime.Goexit()
		case "nil":
			return nil
		}
		return bulkhead.New(bulkhead.Config{Limit: 1})
	}})
	apart := func(f func()) (value any) { // in a goroutine of its own, for Goexit
		done := make(chan struct{})
		go func() {
			defer close(done)
			value = panics(f)
		}()
		<-done
		return value
	}
	works := func(after string) {
		t.Helper()
		bad = ""
		for _, k := range []string{"a", "b", "a"} {
			if err := m.For(k).Do(bg, nothing); err != nil {
				t.Errorf("after %s: %s: %v", after, k, err)
			}
			p, err := m.Acquire(bg, k)
			if err != nil {
				t.Errorf("after %s: %s: %v", after, k, err)
			}
			p.Done(nil)
		}
		if m.Len() != 1 {
			t.Errorf("after %s: %d keys", after, m.Len())
		}
	}
	for _, fault := range []struct {
		name string
		want any
		f    func()
	}{
		{"a panic of New", "no c", func() { bad = "panic"; m.For("c") }},
		{"a Goexit of New", nil, func() { bad = "goexit"; m.For("c") }},
		{"a nil of New", "keyed: Config.New returned nil for the key c, want a mettle.Policy", func() { bad = "nil"; m.For("c") }},
		{"a panic of New in Do", "no a", func() { old := m.For("a"); call(m, "b"); bad = "panic"; old.Do(bg, nothing) }},
		{"a panic of fn", "fn", func() { m.For("a").Do(bg, func(context.Context) error { panic("fn") }) }},
		{"a Goexit of fn", nil, func() { m.For("a").Do(bg, func(context.Context) error { runtime.Goexit(); return nil }) }},
		{"a panic of fn in Call", "fn", func() {
			mettle.Call(bg, m.For("a"), func(context.Context) (int, error) { panic("fn") })
		}},
		{"a Goexit of fn in Call", nil, func() {
			mettle.Call(bg, m.For("a"), func(context.Context) (int, error) { runtime.Goexit(); return 1, nil })
		}},
	} {
		if got := apart(fault.f); got != fault.want {
			t.Errorf("%s: got the panic %v, want %v", fault.name, got, fault.want)
		}
		works(fault.name)
	}
}

// A policy's own code may do what it likes, since no lock is held.
func TestFreshMayUseTheMapAndPanic(t *testing.T) {
	made := maker{}
	m := keyed.New(keyed.Config[string]{New: made.make, Max: 1})
	call(m, "a")
	inner := 0
	of(m, "a").asked = func() {
		if inner++; inner == 1 {
			call(m, "a")
			m.Len()
		}
	}
	if err := m.For("b").Do(bg, nothing); err != nil {
		t.Errorf("b: %v", err)
	}
	of(m, "b").asked = func() { panic("fresh?") }
	if got := panics(func() { call(m, "c") }); got != "fresh?" {
		t.Errorf("got the panic %v", got)
	}
	of(m, "b").asked = nil
	if err := m.For("c").Do(bg, nothing); err != nil || keys(m) != "c" {
		t.Errorf("c: %v, kept %s", err, keys(m))
	}
}

func TestAPanicOfFreshInASweepGivesTheCallBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := keyed.New(keyed.Config[string]{New: maker{}.make, Max: 2, Idle: time.Minute})
		call(m, "a", "b")
		of(m, "b").asked = func() { panic("fresh?") }
		seen := false
		for range 100 {
			time.Sleep(10 * time.Second)
			seen = panics(func() { call(m, "a") }) != nil || seen
		}
		if !seen {
			t.Fatal("no sweep came to b")
		}
		of(m, "b").asked = nil
		call(m, "c", "d")
		if got := keys(m); got != "c d" {
			t.Errorf("kept %s: somebody is taken to be in use", got)
		}
	})
}

// The last place may go to somebody else while New is at work.
func TestAMapThatFillsUpDuringNew(t *testing.T) {
	for _, stale := range []bool{false, true} {
		var m *keyed.Map[string]
		m = keyed.New(keyed.Config[string]{Max: 1, New: func(k string) mettle.Policy {
			if k == "slow" {
				m.For("quick").Do(bg, nothing)
				of(m, "quick").stale = stale
			}
			return &tagged{}
		}})
		err := m.For("slow").Do(bg, nothing)
		if stale && (!errors.Is(err, keyed.ErrFull) || keys(m) != "quick") {
			t.Errorf("where quick must stay: %v, kept %s", err, keys(m))
		}
		if !stale && (err != nil || keys(m) != "slow") {
			t.Errorf("where quick may go: %v, kept %s", err, keys(m))
		}
	}
}
