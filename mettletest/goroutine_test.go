package mettletest

import (
	"testing"
	"testing/synctest"
)

func TestTracebacksAreRead(t *testing.T) {
	for _, tc := range []struct{ text, id, state, bubble string }{
		{"goroutine 7 [running]:\nmain.main()", "7", "running", ""},
		{"goroutine 7 [sleep (durable), synctest bubble 3]:\nmain.main()", "7", "sleep (durable)", "3"},
		{"goroutine 12 [sync.Mutex.Lock, 2 minutes, locked to thread, synctest bubble 31]:\n", "12", "sync.Mutex.Lock", "31"},
		{`goroutine 9 [select (durable), synctest bubble 4 labels:{"a": "b, c"}]:`, "9", "select (durable)", "4"},
		{"goroutine 9 [select", "9", "", ""},
		{"", "", "", ""},
	} {
		g, bubble := parse(tc.text)
		if g.id != tc.id || g.state != tc.state || bubble != tc.bubble {
			t.Errorf("%q is read as %q, %q in bubble %q", tc.text, g.id, g.state, bubble)
		}
	}
}

func TestGoroutinesOfTheBubble(t *testing.T) {
	outside := make(chan struct{})
	defer close(outside)
	go func() { <-outside }()
	synctest.Test(t, func(*testing.T) {
		before := len(goroutines(thisBubble()))
		inside := make(chan struct{})
		go func() { <-inside }()
		synctest.Wait()
		if n := len(goroutines(thisBubble())) - before; n != 1 {
			t.Errorf("%d goroutines were started in the bubble, want 1", n)
		}
		close(inside)
		synctest.Wait()
		if n := len(goroutines(thisBubble())) - before; n != 0 {
			t.Errorf("%d goroutines are left in the bubble, want 0", n)
		}
	})
	if name := thisBubble(); name != "" {
		t.Errorf("outside of a bubble it is called %q", name)
	}
}

func TestStuck(t *testing.T) {
	for _, tc := range []struct {
		states []string
		want   bool
	}{
		{nil, false},
		{[]string{"sync.Mutex.Lock"}, true},
		{[]string{"synctest.Run (durable)", "sync.Mutex.Lock", "select (durable)"}, true},
		{[]string{"sleep (durable)", "chan receive (durable)"}, false}, // the bubble itself sees to these
		{[]string{"sync.Mutex.Lock", "running"}, false},
		{[]string{"sync.Mutex.Lock", "runnable"}, false},
		{[]string{"sync.Mutex.Lock", "semacquire"}, false},
		{[]string{"sync.RWMutex.RLock", "sync.WaitGroup.Wait (durable)"}, true},
		{[]string{"chan receive", "sleep (durable)"}, true}, // a channel made outside of the bubble
	} {
		var gs []goroutine
		for _, s := range tc.states {
			gs = append(gs, goroutine{state: s})
		}
		if got := stuck(gs); got != tc.want {
			t.Errorf("%q: stuck is %v", tc.states, got)
		}
	}
}
