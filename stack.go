package mettle

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/mettle-go/mettle/internal/clock"
	"github.com/mettle-go/mettle/internal/layer"
)

// A Stack is several policies around one call, as one Policy. It is immutable and safe for
// concurrent use.
type Stack struct {
	policies []Policy
	rings    []ring
	clocked  bool // some layer needs the time in every call: read it once, at the entry, for all
}

// ring is a slot of a stack. Most are gates, and stacks are many where each key has one of its own: the rest is kept elsewhere.
type ring struct {
	gate layer.Gate
	slot *slot // if there is no gate
}

// slot is a policy in the form in which the stack runs it: exactly one of its fields is set.
type slot struct {
	gate    layer.Gate    // one of our gates
	retry   layer.Retrier // our retry
	timeout layer.Bounder // our timeout
	pinner  layer.Pinner  // our stand-in for a policy that is found anew in each call
	guest   Gate          // a gate written elsewhere
	foreign Policy        // anything else: gets fn as a closure
}

// Compose makes one policy of several. The first is the outermost: it sees the call first and its
// result last. Stacks among them are flattened. Compose() of nothing just runs the function. A nil
// policy panics.
func Compose(outermost ...Policy) *Stack {
	s := &Stack{}
	for i, p := range outermost {
		if p == nil {
			panic(fmt.Sprintf("mettle: Compose: policy %d is nil, want a Policy", i+1))
		}
		if inner, ok := p.(*Stack); ok {
			s.policies = append(s.policies, inner.policies...)
			continue
		}
		s.policies = append(s.policies, p)
	}
	s.rings = make([]ring, len(s.policies))
	for i, p := range s.policies {
		sl := sorted(p)
		if sl.gate != nil {
			s.rings[i].gate = sl.gate
			continue
		}
		s.rings[i].slot = &sl
		s.clocked = s.clocked || sl.timeout != nil
	}
	return s
}

func sorted(p Policy) slot {
	if p == nil {
		panic("mettle: the policy of a call is nil, want a Policy")
	}
	switch own := p.(type) {
	case layer.Gate:
		if ours(p) {
			return slot{gate: own}
		}
	case layer.Retrier:
		if ours(p) {
			return slot{retry: own}
		}
	case layer.Bounder:
		if ours(p) {
			return slot{timeout: own}
		}
	case layer.Pinner:
		if ours(p) {
			return slot{pinner: own}
		}
	case Gate:
		return slot{guest: own}
	}
	return slot{foreign: p}
}

// ours reports whether p's type is of this module. A type from elsewhere that embeds one of ours has our internal methods
// too, but a Do of its own, and that one counts.
func ours(p Policy) bool {
	t := reflect.TypeOf(p)
	known := origins.Load()
	for i := range known.types {
		if o := &known.types[i]; o.of == t {
			return o.ours
		}
	}
	own := t.Kind() == reflect.Pointer && strings.HasPrefix(t.Elem().PkgPath(), module)
	// If another type came in meanwhile, this one is remembered the next time.
	origins.CompareAndSwap(known, &seen{append(slices.Clip(known.types), origin{t, own})})
	return own
}

// seen is what ours said of the types that it was asked about. Every Call of a policy that stands alone asks, and to look up a package's
// path takes longer than to pass a closed breaker.
type seen struct{ types []origin }

type origin struct {
	of   reflect.Type
	ours bool
}

var origins atomic.Pointer[seen]

func init() { origins.Store(&seen{}) }

// module begins the import path of every package that has policies of ours.
var module = reflect.TypeFor[Stack]().PkgPath() + "/"

// Do runs fn under the stack's policies.
func (s *Stack) Do(ctx context.Context, fn func(context.Context) error) error {
	_, err := run(ctx, s, 0, s.entry(clock.Unread), func(ctx context.Context) (struct{}, error) {
		return struct{}{}, fn(ctx)
	})
	return err
}

// Policies returns the stack's policies, outermost first. The slice is the caller's.
func (s *Stack) Policies() []Policy { return append([]Policy(nil), s.policies...) }

// String returns the policies in order, as in "retry > breaker users-db > timeout".
func (s *Stack) String() string {
	names := make([]string, len(s.policies))
	for i, p := range s.policies {
		names[i] = describe(p)
	}
	return strings.Join(names, " > ")
}

func describe(p Policy) string {
	d, ok := p.(Describer)
	if !ok {
		if s, ok := p.(fmt.Stringer); ok {
			return s.String()
		}
		return fmt.Sprintf("%T", p)
	}
	desc := d.Describe()
	if desc.Name == "" {
		return desc.Kind
	}
	return desc.Kind + " " + desc.Name
}

func (s *Stack) entry(now clock.Instant) clock.Instant {
	if s.clocked {
		return now.OrNow()
	}
	return now
}

// run runs fn under the stack's layers from the i-th inward. The instant now is this call's last clock
// reading, if still good.
//
// Two things here look roundabout and are what keeps a call at two allocations. The foreign case and the
// pinned one, which may turn out to be foreign, are not cases of step, because there the closure escapes to an interface, and escape
// analysis would move every layer's closure to the heap with it. And layers are reached through s, not through a
// shrinking slice, so that single needs no slice on the heap.
func run[T any](ctx context.Context, s *Stack, i int, now clock.Instant, fn func(context.Context) (T, error)) (T, error) {
	if i == len(s.rings) {
		return fn(ctx)
	}
	sl := s.rings[i].slot
	if sl == nil {
		return layer.Gated(ctx, s.rings[i].gate, now, func(ctx context.Context, now clock.Instant) (T, error) {
			return run(ctx, s, i+1, now, fn)
		})
	}
	if p := sl.foreign; p != nil {
		return captured(ctx, p, func(ctx context.Context) (T, error) {
			return run(ctx, s, i+1, clock.Unread, fn)
		})
	}
	if p := sl.pinner; p != nil {
		return pinned(ctx, p, now, func(ctx context.Context) (T, error) {
			return run(ctx, s, i+1, clock.Unread, fn)
		})
	}
	return step(ctx, sl, now, func(ctx context.Context, now clock.Instant) (T, error) {
		return run(ctx, s, i+1, now, fn)
	})
}

// single is run for a policy that stands alone.
func single[T any](ctx context.Context, p Policy, now clock.Instant, fn func(context.Context) (T, error)) (T, error) {
	sl := sorted(p)
	if sl.foreign != nil {
		return captured(ctx, p, fn)
	}
	if sl.pinner != nil {
		return pinned(ctx, sl.pinner, now, fn)
	}
	return step(ctx, &sl, now, func(ctx context.Context, _ clock.Instant) (T, error) { return fn(ctx) })
}

// pinned runs next under the policy that p stands for. The pin is taken out by defer: also when next panics.
func pinned[T any](ctx context.Context, p layer.Pinner, now clock.Instant, next func(context.Context) (T, error)) (v T, err error) {
	inner, pin, now, err := p.Pin(ctx, now)
	if err != nil {
		return v, err
	}
	defer pin.Unpin()
	if s, ok := inner.(*Stack); ok {
		return run(ctx, s, 0, s.entry(now), next)
	}
	return single(ctx, inner, now, next)
}

// step runs next under one layer that needs no closure on the heap.
func step[T any](ctx context.Context, sl *slot, now clock.Instant, next func(context.Context, clock.Instant) (T, error)) (T, error) {
	switch {
	case sl.gate != nil:
		return layer.Gated(ctx, sl.gate, now, next)
	case sl.retry != nil:
		return layer.Retried(ctx, sl.retry, now, next)
	case sl.timeout != nil:
		return layer.Bounded(ctx, sl.timeout, now, next)
	default:
		return guested(ctx, sl.guest, next)
	}
}

// guested runs next under a gate written elsewhere. It may have waited, so its clock reading is stale.
func guested[T any](ctx context.Context, g Gate, next func(context.Context, clock.Instant) (T, error)) (v T, err error) {
	permit, err := g.Acquire(ctx)
	if err != nil {
		return v, err
	}
	err = ErrUnfinished
	defer func() { permit.Done(err) }()
	return next(ctx, clock.Unread)
}

// captured runs next under a policy that takes a closure and may run it several times at once.
func captured[T any](ctx context.Context, p Policy, next func(context.Context) (T, error)) (T, error) {
	c := &capture[T]{entry: branchOf(ctx)}
	err := p.Do(ctx, func(ctx context.Context) error {
		v, err := next(ctx)
		if err == nil {
			c.put(ctx, v)
		}
		return err
	})
	return c.value, err
}
