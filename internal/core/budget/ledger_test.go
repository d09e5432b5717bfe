package budget

import (
	"math"
	"testing"
)

const (
	ratio = Token / 5
	floor = 10 * Token
	ttl   = 10 * second
)

// spend withdraws whole tokens until refused.
func spend(l *Ledger) (tokens int) {
	for {
		if _, ok := l.Withdraw(Token); !ok {
			return tokens
		}
		tokens++
	}
}

func TestExactAmounts(t *testing.T) {
	for _, start := range []int64{-1 << 59, -1, 0, 1 << 60, math.MinInt64} {
		l := New(ratio, floor, ttl)
		at := func(d int64) { l.Advance(start + d) }
		for _, step := range []struct {
			at    int64
			calls int64
			want  int
		}{
			{0, 0, 100},                // a new budget has the floor of one ttl
			{0, 0, 0},                  // once
			{0, 4, 0},                  // 0.8 tokens
			{0, 1, 1},                  // the fifth call makes one
			{second / 10, 0, 1},        // the floor comes evenly,
			{second/5 - 1, 0, 0},       // never early,
			{second / 5, 0, 1},         // never late
			{ttl, 0, 98},               // the floor of 9.8 s
			{3600 * second, 0, 100},    // after a long quiet no more than at first
			{3600 * second, 50, 10},    // earned just now
			{7200 * second, 1000, 300}, // 100 and 200
			{math.MaxInt64/2 + 1, 0, 100},
		} {
			at(step.at)
			l.Earn(step.calls)
			if got := spend(&l); got != step.want {
				t.Errorf("from %d, after %d: %d tokens, want %d", start, step.at, got, step.want)
			}
		}
	}
}

func TestEarnedTokensExpire(t *testing.T) {
	for _, c := range []struct {
		after int64
		want  int
	}{
		{0, 20},
		{ttl/slots*(slots-1) - 1, 20}, // fifteen slots after the last moment of their own
		{ttl, 0},
		{ttl + 1, 0},
		{math.MaxInt64, 0},
	} {
		l := New(ratio, 0, ttl)
		l.Advance(0)
		l.Earn(100)
		l.Advance(c.after)
		if got := spend(&l); got != c.want {
			t.Errorf("after %d: %d tokens, want %d", c.after, got, c.want)
		}
	}
}

func TestTimeThatGoesBack(t *testing.T) {
	l := New(ratio, floor, ttl)
	l.Advance(100 * second)
	spend(&l)
	for range 1000 { // a second forward and back again is one second, however often
		l.Advance(101 * second)
		l.Advance(100 * second)
	}
	if got := spend(&l); got != 10 {
		t.Errorf("%d tokens in one second, want 10", got)
	}
	l.Advance(-1 << 59) // a new bubble
	if got := spend(&l); got != 0 {
		t.Errorf("going back brought %d tokens, want none", got)
	}
	l.Advance(-1<<59 + second)
	if got := spend(&l); got != 10 {
		t.Errorf("%d tokens in the first second after going back, want 10", got)
	}
}

func TestSaturation(t *testing.T) {
	l := New(1000*Token, Token*Token, 86400*second)
	l.Advance(math.MinInt64)
	for range 3 {
		l.Earn(math.MaxInt64)
	}
	l.Advance(math.MinInt64 + 86400*second/slots)
	l.Earn(math.MaxInt64)
	if got := l.Available(); got != math.MaxInt64 {
		t.Errorf("%d available, want the most there is", got)
	}
	w, ok := l.Withdraw(math.MaxInt64)
	if !ok || l.Available() < 0 {
		t.Errorf("Withdraw of all: %t, %d left", ok, l.Available())
	}
	l.Return(w)
	l.Return(w)
	if got := l.Available(); got != math.MaxInt64 {
		t.Errorf("%d available after it came back, want the most there is", got)
	}
	l.Advance(math.MaxInt64)
	if got, want := l.Available(), int64(86400*Token*Token); got != want {
		t.Errorf("%d available at the end of time, want the floor, %d", got, want)
	}
	if until := l.Until(); until != math.MaxInt64 {
		t.Errorf("Until() = %d at the end of time", until)
	}
}

// The instant that Until names is the first at which something expires, neither later, which would let Earn credit
// an old slot, nor earlier.
func TestUntilIsWhenTheNextSlotBegins(t *testing.T) {
	l := New(ratio, 0, ttl)
	for _, now := range []int64{-1 << 59, -1<<59 + 1, -1<<59 + ttl/3, -1<<59 + ttl/2 + 7} {
		l.Advance(now)
		if l.Advance(l.Until() - 1) {
			t.Errorf("a new slot one nanosecond before %d", l.Until())
		}
		if !l.Advance(l.Until()) {
			t.Errorf("no new slot at %d", l.Until())
		}
	}
}
