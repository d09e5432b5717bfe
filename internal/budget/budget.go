// Package budget bounds the extra load that retries and hedges put on a dependency.
package budget

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mettle-go/mettle/internal/clock"
	core "github.com/mettle-go/mettle/internal/core/budget"
)

// Config says how many extra runs a budget allows. Ratio and Floor must not both be 0: such a budget would allow none.
type Config struct {
	// Ratio is how many tokens each call earns, from 0 to 1000: 0.2 allows one extra run for every five calls. It is used to six
	// decimals. 0 means that calls earn nothing.
	Ratio float64
	// Floor is how many tokens a second come in beside, from 0 to 1000000, so that rare calls can be retried too. It is
	// used to six decimals. 0 means none.
	Floor float64
	// TTL is how long a token lasts, from 1 ms to 24 h. 0 means 10 s.
	TTL time.Duration
}

const (
	maxRatio = 1000
	maxFloor = 1_000_000
	least    = 1.0 / core.Token
)

// Validate returns nil if New accepts c, or an error that names the field, its value and what it wants.
func (c Config) Validate() error {
	if !(c.Ratio == 0 || c.Ratio >= least && c.Ratio <= maxRatio) {
		return fmt.Errorf("budget: Config.Ratio is %v, want 0, or 0.000001 to %d", c.Ratio, maxRatio)
	}
	if !(c.Floor == 0 || c.Floor >= least && c.Floor <= maxFloor) {
		return fmt.Errorf("budget: Config.Floor is %v, want 0, or 0.000001 to %d", c.Floor, maxFloor)
	}
	if c.Ratio == 0 && c.Floor == 0 {
		return fmt.Errorf("budget: Config.Ratio and Config.Floor are 0, want one of them more than 0")
	}
	if c.TTL != 0 && (c.TTL < time.Millisecond || c.TTL > 24*time.Hour) {
		return fmt.Errorf("budget: Config.TTL is %v, want 0, or 1ms to 24h", c.TTL)
	}
	return nil
}

// A Budget decides whether a call may be run again. Every call earns a fraction of a token, a floor of tokens comes in with time, each
// extra run costs one, and tokens that are older than the TTL are gone. Thus, when everything fails, the number of runs stays below
//
//	(1 + Ratio) × calls + Floor × (time + TTL)
//
// however many clients share the budget: a new budget, like one after a long quiet, has the floor of one TTL and no more. In any stretch
// of time T, extra runs are at most Ratio times the calls of T and the TTL before it, plus Floor × (T + TTL).
//
// It never allows more; it may allow slightly less. What calls earned lasts between 15/16 of the TTL and the whole of it, and where a
// stream of calls breaks off, up to 63 of them may count as earlier than they were.
//
// A Budget is safe for concurrent use and may be shared by policies, of different kinds too: they then have one allowance together. Make
// it by New; the zero Budget is not usable. It has no goroutine and no timer.
type Budget struct {
	unlimited bool
	earns     bool

	calls atomic.Int64
	// The clock is read at every call until calls reaches sparse, and at every 64th then. Each slot begins anew: at rates where a clock
	// reading would be felt almost all calls go without, at lower rates all is timed exactly.
	sparse atomic.Int64
	// The slot of now is known to last over [from, until).
	from, until atomic.Int64

	mu     sync.Mutex
	ledger core.Ledger
	booked int64 // of calls
}

const sampled = 64

// rounding keeps a cost that is a whole number of units but for the last bit of a float64 from costing one more.
const rounding = 1.0 / 1024

// Unlimited is the budget that allows everything.
var Unlimited = &Budget{unlimited: true}

// New returns a budget. It panics if Validate has an error.
func New(c Config) *Budget {
	if err := c.Validate(); err != nil {
		panic(err.Error())
	}
	ttl := c.TTL
	if ttl == 0 {
		ttl = 10 * time.Second
	}
	b := &Budget{earns: c.Ratio > 0}
	b.ledger = core.New(units(c.Ratio), units(c.Floor), int64(ttl))
	b.sparse.Store(sampled)
	return b
}

func units(tokens float64) int64 { return int64(math.Round(tokens * core.Token)) }

// Earn credits one call: a policy calls it once for each call, not for the further runs of it. It costs an atomic addition; some
// calls, as few as one in 64 when there are many, read the clock too. It never waits and never allocates.
func (b *Budget) Earn() {
	if !b.earns {
		return
	}
	if n := b.calls.Add(1); n <= b.sparse.Load() || n%sampled == 0 {
		b.mark()
	}
}

// mark sees to it that this call, just counted, belongs to the slot of now.
func (b *Budget) mark() {
	now := int64(clock.Now())
	if now >= b.from.Load() && now < b.until.Load() || !b.mu.TryLock() {
		return // whoever has the lock is just doing the same
	}
	defer b.mu.Unlock()
	// When exactly the calls before this one came nobody knows: they belong to the old slot, where they expire too early rather
	// than too late.
	b.book(b.calls.Load() - 1)
	b.advance(now)
	b.book(b.calls.Load())
}

// book credits to the current slot all calls up to the nth. The caller holds b.mu.
func (b *Budget) book(n int64) {
	if n > b.booked {
		b.ledger.Earn(n - b.booked)
		b.booked = n
	}
}

// advance hears that it is now. The caller holds b.mu.
func (b *Budget) advance(now int64) {
	if b.ledger.Advance(now) {
		b.sparse.Store(b.booked + sampled)
		b.from.Store(b.ledger.At())
		b.until.Store(b.ledger.Until())
	}
}

// settle brings the ledger up to the present. The caller holds b.mu.
func (b *Budget) settle() {
	b.book(b.calls.Load())
	b.advance(int64(clock.Now()))
}

// A Withdrawal is what Withdraw took. It is a small value; Return takes it back.
type Withdrawal struct{ taken core.Withdrawal }

// Withdraw takes cost tokens, 1 for an ordinary run, and reports whether there were as many; if not, it takes none. It takes a lock for
// a fraction of a microsecond, reads the clock and does not allocate. A cost of 0 is always granted. A cost that is negative or not a
// number panics.
func (b *Budget) Withdraw(cost float64) (Withdrawal, bool) {
	if !(cost >= 0) {
		panic(fmt.Sprintf("budget: cost is %v, want 0 or more", cost))
	}
	return b.WithdrawAt(cost, clock.Unread)
}

// WithdrawAt is Withdraw for policies of this module, which have read the clock before.
func (b *Budget) WithdrawAt(cost float64, now clock.Instant) (Withdrawal, bool) {
	if b.unlimited {
		return Withdrawal{}, true
	}
	if cost > math.MaxInt64/(2*core.Token) {
		return Withdrawal{}, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.book(b.calls.Load())
	b.advance(int64(now.OrNow()))
	w, ok := b.ledger.Withdraw(int64(math.Ceil(cost*core.Token - rounding)))
	return Withdrawal{w}, ok
}

// Return gives back what a withdrawal took, for a run that did not take place after all. Tokens that have expired in the meantime
// are gone, as they would be had they never been taken. Call it at most once for each withdrawal, and on the budget that it came from.
func (b *Budget) Return(w Withdrawal) {
	if b.unlimited {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.settle()
	b.ledger.Return(w.taken)
}

// Available returns how many tokens there are. It is a snapshot, for metrics: whoever wants to spend some asks Withdraw. Of Unlimited it is
// +Inf.
func (b *Budget) Available() float64 {
	if b.unlimited {
		return math.Inf(1)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.settle()
	return float64(b.ledger.Available()) / core.Token
}
