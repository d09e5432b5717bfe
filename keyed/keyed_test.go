package keyed_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/breaker"
	"github.com/mettle-go/mettle/bulkhead"
	"github.com/mettle-go/mettle/keyed"
	"github.com/mettle-go/mettle/retry"
	"github.com/mettle-go/mettle/timeout"
)

var (
	bg      = context.Background()
	errDown = errors.New("down")
)

func fail(context.Context) error { return errDown }

// tagged is a policy of no package of ours that knows its key and how fresh it is.
type tagged struct {
	key   string
	nth   int
	stale bool
	asked func()
}

func (p *tagged) Do(ctx context.Context, fn func(context.Context) error) error { return fn(ctx) }

func (p *tagged) Fresh() bool {
	if p.asked != nil {
		p.asked()
	}
	return !p.stale
}

// maker counts the policies it makes for each key.
type maker map[string]int

func (n maker) make(k string) mettle.Policy {
	n[k]++
	return &tagged{key: k, nth: n[k]}
}

func of(m *keyed.Map[string], k string) *tagged {
	for key, p := range m.All() {
		if key == k {
			return p.(*tagged)
		}
	}
	return nil
}

func keys(m *keyed.Map[string]) string {
	var all []string
	for k := range m.All() {
		all = append(all, k)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func call(m *keyed.Map[string], ks ...string) {
	for _, k := range ks {
		m.For(k).Do(bg, nothing)
	}
}

func panics(f func()) (value any) {
	defer func() { value = recover() }()
	f()
	return nil
}

func TestConfig(t *testing.T) {
	made := maker{}
	for _, tc := range []struct {
		c    keyed.Config[string]
		want string
	}{
		{keyed.Config[string]{}, "keyed: Config.New is nil, want a function"},
		{keyed.Config[string]{New: made.make, Max: -1}, "keyed: Config.Max is -1, want 0 or more"},
		{keyed.Config[string]{New: made.make, Idle: -time.Second}, "keyed: Config.Idle is -1s, want 0 or more"},
	} {
		if err := tc.c.Validate(); err == nil || err.Error() != tc.want {
			t.Errorf("Validate returns %v, want %s", err, tc.want)
		}
		if got := panics(func() { keyed.New(tc.c) }); got != tc.want {
			t.Errorf("New panics with %v, want %s", got, tc.want)
		}
	}
	if got := keyed.New(keyed.Config[string]{New: made.make}).Describe().Limit; got != 10_000 {
		t.Errorf("the default of Max is %d, want 10,000", got)
	}
}

func TestOneKeyHasOnePolicy(t *testing.T) {
	made := maker{}
	m := keyed.New(keyed.Config[string]{New: made.make})
	for range 3 {
		call(m, "a", "b")
	}
	if m.For("a") != m.For("a") || m.For("a") == m.For("b") {
		t.Error("For tells keys apart by something else than the key")
	}
	if made["a"] != 1 || made["b"] != 1 || m.Len() != 2 || keys(m) != "a b" {
		t.Errorf("made %v and kept %d: %s", made, m.Len(), keys(m))
	}
}

// Those that had no call since they were last looked at go first, whichever of the others it is that had one.
func TestTheLeastUsedGoesFirst(t *testing.T) {
	for i := range 6 {
		made := maker{}
		m := keyed.New(keyed.Config[string]{New: made.make, Max: 8})
		call(m, "a", "b", "c", "d", "e", "f", "g", "h", "first") // all had a call: any may go
		kept := strings.Fields(keys(m))
		hot := kept[i]
		for _, k := range []string{"second", "third", "fourth", "fifth"} {
			call(m, hot, k)
		}
		if made[hot] != 1 || made["first"] != 1 || m.Len() != 8 {
			t.Errorf("of %v, and %s called again and again: kept %s", kept, hot, keys(m))
		}
	}
}

// A policy that was just made goes after those that have been without a call for longer.
func TestTheNewestIsSpared(t *testing.T) {
	for n := 2; n < 9; n++ {
		m := keyed.New(keyed.Config[string]{New: maker{}.make, Max: n})
		for i := range n {
			call(m, fmt.Sprint("old", i))
		}
		for i := range n { // the first search looks at all; then the old ones have had their chance
			m.For(fmt.Sprint("new", i))
		}
		if got := keys(m); strings.Contains(got, "old") {
			t.Errorf("of %d old ones and as many new ones: kept %s", n, got)
		}
	}
}

func TestAPolicyInUseStays(t *testing.T) {
	made := maker{}
	m := keyed.New(keyed.Config[string]{New: made.make, Max: 1})
	a, b := m.For("a"), mettle.Policy(nil)
	a.Do(bg, func(context.Context) error {
		b = m.For("b")
		ran := false
		err := b.Do(bg, func(context.Context) error { ran = true; return nil })
		if r, ok := errors.AsType[*mettle.RejectedError](err); ran || !ok || r.Policy != "keyed" || !errors.Is(err, keyed.ErrFull) || !errors.Is(err, mettle.ErrRejected) {
			t.Errorf("a second key got %v, and its function ran: %v", err, ran)
		}
		return nil
	})
	if err := b.Do(bg, nothing); err != nil || keys(m) != "b" {
		t.Errorf("with room again, the same policy returned %v; kept %s", err, keys(m))
	}
	if err := a.Do(bg, nothing); err != nil || keys(m) != "a" || made["a"] != 2 {
		t.Errorf("the evicted one returned %v; kept %s, made %v", err, keys(m), made)
	}
}

// Two of one key must not work at once, also if one of them was handed out before an eviction.
func TestOldAndNewHandleShareAPolicy(t *testing.T) {
	m := keyed.New(keyed.Config[string]{Max: 1, New: func(string) mettle.Policy { return bulkhead.New(bulkhead.Config{Limit: 1}) }})
	old := m.For("a")
	call(m, "b")
	renewed := m.For("a")
	if old == renewed {
		t.Fatal("a was not evicted")
	}
	renewed.Do(bg, func(context.Context) error {
		if err := old.Do(bg, nothing); !errors.Is(err, bulkhead.ErrFull) {
			t.Errorf("the old one returned %v, want that of the bulkhead that is full", err)
		}
		return nil
	})
}

func TestWhatRemembersStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := keyed.New(keyed.Config[string]{Max: 1, Idle: time.Minute, New: func(k string) mettle.Policy {
			b := breaker.New(breaker.Config{Name: k, Trip: breaker.Consecutive(1), Cooldown: time.Second, Successes: 1})
			if k == "stack" {
				return mettle.Compose(retry.New(retry.Config{Attempts: 1}), b, timeout.After(time.Second))
			}
			return b
		}})
		for _, k := range []string{"alone", "stack"} {
			m.For(k).Do(bg, fail)
			time.Sleep(time.Minute) // Cooldown is over, MaxCooldown after it not yet
			for range 100 {
				if err := m.For("other").Do(bg, nothing); !errors.Is(err, keyed.ErrFull) {
					t.Fatalf("%s: the open breaker made room: %v, kept %s", k, err, keys(m))
				}
			}
			if err := m.For(k).Do(bg, nothing); err != nil {
				t.Fatalf("%s: the probe returned %v", k, err)
			}
			if err := m.For("other").Do(bg, nothing); err != nil || keys(m) != "other" {
				t.Errorf("%s: closed again, %v", k, err)
			}
			m.For("other").Do(bg, fail)
			time.Sleep(time.Hour)
			if err := m.For("third").Do(bg, nothing); err != nil || keys(m) != "third" {
				t.Errorf("%s: the breaker of a host that is gone for good makes no room: %v", k, err)
			}
		}
	})
}

func TestIdleOnesGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := keyed.New(keyed.Config[string]{New: maker{}.make, Max: 64, Idle: 8 * time.Minute})
		call(m, "idle", "kept", "stale", "hot")
		of(m, "stale").stale = true
		inUse := make(chan struct{})
		go m.For("held").Do(bg, func(context.Context) error { <-inUse; return nil })
		synctest.Wait()
		hot := m.For("hot")
		minutes := func(n int) {
			for range n {
				for range 16 {
					hot.Do(bg, nothing)
				}
				time.Sleep(time.Minute)
			}
		}
		for range 4 {
			minutes(7)
			call(m, "kept")
		}
		if got := keys(m); got != "held hot kept stale" {
			t.Errorf("after four times Idle: kept %s", got)
		}
		close(inUse)
		minutes(8)
		if got := keys(m); !strings.Contains(got, "held") {
			t.Errorf("before Idle is over since the call's end: kept %s", got)
		}
		minutes(3)
		if got := keys(m); got != "hot stale" {
			t.Errorf("in the end: kept %s", got)
		}
	})
}

// Whichever way calls come, they look after the map.
func TestIdleOnesGoHoweverCallsCome(t *testing.T) {
	for name, use := range map[string]func(*keyed.Map[string]) func(){
		"by For": func(m *keyed.Map[string]) func() {
			return func() { m.For("hot").Do(bg, nothing) }
		},
		"by Acquire": func(m *keyed.Map[string]) func() {
			return func() {
				p, err := m.Acquire(bg, "hot")
				if err != nil {
					t.Error(err)
				}
				p.Done(nil)
			}
		},
		"by what For returned for a policy that is gone": func(m *keyed.Map[string]) func() {
			old := m.For("hot")
			for i := 0; strings.Contains(keys(m), "hot"); i++ {
				m.For(fmt.Sprint(i))
			}
			return func() { old.Do(bg, nothing) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := keyed.New(keyed.Config[string]{New: newBreaker, Max: 3, Idle: time.Minute})
				hot := use(m)
				hot()
				m.For("idle")
				for range 20 {
					for range 16 {
						hot()
					}
					time.Sleep(10 * time.Second)
				}
				if got := keys(m); got != "hot" {
					t.Errorf("kept %s", got)
				}
			})
		})
	}
}

// Nobody calls anything, and still the map does not fill up.
func TestIdleOnesGoWhenOthersCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := keyed.New(keyed.Config[string]{New: maker{}.make, Max: 64, Idle: time.Minute})
		for i := range 50 {
			m.For(fmt.Sprint(i))
			time.Sleep(15 * time.Second)
		}
		if n := m.Len(); n < 4 || n > 10 {
			t.Errorf("%d are kept, of which four are younger than Idle", n)
		}
	})
}

// A package's variable is made before a test's bubble, in which the clock stands in the year 2000.
func TestIdleOnesGoAlsoWhenTheClockWentBack(t *testing.T) {
	m := keyed.New(keyed.Config[string]{New: maker{}.make, Max: 64, Idle: time.Minute})
	call(m, "outside")
	synctest.Test(t, func(t *testing.T) {
		call(m, "inside")
		for range 30 {
			m.For("hot")
			for range 16 {
				call(m, "hot")
			}
			time.Sleep(10 * time.Second)
		}
		if got := keys(m); got != "hot" {
			t.Errorf("kept %s", got)
		}
	})
}

// stately is a policy that tells its state and nothing else.
type stately struct {
	tagged
	state string
}

func (p *stately) Fresh() {} // not the method that is asked for
func (p *stately) Describe() mettle.Description {
	return mettle.Description{Kind: "stately", State: p.state}
}

func TestAStateIsRemembered(t *testing.T) {
	for state, goes := range map[string]bool{"": true, "closed": true, "open": false, "half-open": false} {
		m := keyed.New(keyed.Config[string]{Max: 1, New: func(string) mettle.Policy { return &stately{state: state} }})
		call(m, "a")
		if err := m.For("b").Do(bg, nothing); (err == nil) != goes {
			t.Errorf("a policy in the state %q makes room: %v, want %v", state, err, goes)
		}
	}
}

// Who comes late to a key that somebody else has just made, in the last place, gets that one.
func TestTheKeyThatRoomIsMadeForIsSpared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		made := maker{}
		m := keyed.New(keyed.Config[string]{New: made.make, Max: 2, Idle: time.Minute})
		call(m, "x", "y")
		x, y := of(m, "x"), of(m, "y")
		x.stale, y.stale = true, true
		var first mettle.Policy
		time.Sleep(time.Minute)
		call(m, "z") // stamps both
		time.Sleep(time.Hour)
		x.asked = func() { // in the middle of the other For, which has found no k
			x.asked, y.stale = nil, false
			first = m.For("k")
		}
		if second := m.For("k"); first == nil || second != first || made["k"] != 1 {
			t.Errorf("got %v and %v, made %v", first, second, made)
		}
	})
}

func TestARejectionIsTold(t *testing.T) {
	var events []mettle.Event
	var m *keyed.Map[string]
	m = keyed.New(keyed.Config[string]{Name: "tenants", Max: 1, New: maker{}.make, Observer: func(ctx context.Context, e mettle.Event) {
		events = append(events, e)
		m.Describe() // no lock is held
	}})
	m.For("a").Do(bg, func(context.Context) error {
		m.For("b") // not a call
		err := m.For("b").Do(bg, nothing)
		_, err2 := mettle.Call(bg, m.For("b"), func(context.Context) (int, error) { return 1, nil })
		_, err3 := m.Acquire(bg, "b")
		if err == nil || err2 != err || err3 != err {
			t.Errorf("rejected with %v, %v and %v", err, err2, err3)
		}
		if want := "mettle: rejected by keyed tenants: keyed: full"; err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
		return nil
	})
	if len(events) != 3 || events[0].Kind != mettle.Rejected || events[0].Policy != "keyed" || events[0].Name != "tenants" || !errors.Is(events[0].Err, keyed.ErrFull) {
		t.Errorf("told %+v", events)
	}
	if got, want := fmt.Sprint(m.Describe()), "{keyed tenants  1 [{keys 1} {created 1} {evicted 0} {rejections 3}]}"; got != want {
		t.Errorf("Describe: %s, want %s", got, want)
	}
	call(m, "b")
	if got, want := fmt.Sprint(m.Describe().Metrics), "[{keys 1} {created 2} {evicted 1} {rejections 3}]"; got != want {
		t.Errorf("Describe: %s, want %s", got, want)
	}
}

// A map whose policies come from another map, for keys in two steps, such as a tenant's hosts.
func TestMapsOfMaps(t *testing.T) {
	hosts := keyed.New(keyed.Config[string]{New: func(host string) mettle.Policy {
		return breaker.New(breaker.Config{Name: host, Trip: breaker.Consecutive(1)})
	}})
	m := keyed.New(keyed.Config[string]{Max: 1, New: hosts.For})
	m.For("a").Do(bg, fail)
	if err := m.For("a").Do(bg, nothing); !errors.Is(err, breaker.ErrOpen) {
		t.Errorf("the breaker behind two maps: %v", err)
	}
	if err := m.For("b").Do(bg, nothing); !errors.Is(err, keyed.ErrFull) {
		t.Errorf("an open breaker made room: %v", err)
	}
	for _, p := range hosts.All() {
		p.(*breaker.Breaker).Reset()
	}
	if err := m.For("b").Do(bg, nothing); err != nil {
		t.Errorf("a closed one did not: %v", err)
	}
}

// A Stack printed the Go type of what For returns.
func TestStackPrintsTheKey(t *testing.T) {
	made := func(string) mettle.Policy { return breaker.New(breaker.Config{}) }
	hosts := keyed.New(keyed.Config[string]{Name: "hosts", New: made})
	tenants := keyed.New(keyed.Config[int]{New: func(int) mettle.Policy { return made("") }})
	s := mettle.Compose(retry.New(retry.Config{}), hosts.For("a.example"), tenants.For(7))
	if got, want := s.String(), "retry > keyed hosts[a.example] > keyed[7]"; got != want {
		t.Errorf("the stack prints %q, want %q", got, want)
	}
}
