package mettlehttp

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/mettle-go/mettle"
	"github.com/mettle-go/mettle/internal/clock"
	"github.com/mettle-go/mettle/internal/httprule"
	"github.com/mettle-go/mettle/internal/layer"
	"github.com/mettle-go/mettle/internal/mark"
)

// A hold keeps requests from a host that asked to be left alone: a gate that hears the request to do so as the error of a call.
type hold struct {
	host     string
	maxHint  time.Duration // a longer wait is not asked of anybody
	maxWait  time.Duration // below 0: nobody waits
	observer mettle.Observer

	until    atomic.Int64 // a clock.Instant, or clock.Unread while there is no hold
	rejected *mettle.RejectedError
}

func newHold(host string, c *Config) *hold {
	h := &hold{host: host, maxHint: c.Retry.MaxHint, maxWait: c.MaxHold, observer: c.Observer}
	h.until.Store(int64(clock.Unread))
	h.rejected = mettle.Reject("hold", host, ErrHeld, h.left)
	return h
}

// left returns how long the hold lasts, and whether there is one.
func (h *hold) left() (time.Duration, bool) {
	until := clock.Instant(h.until.Load())
	if until == clock.Unread {
		return 0, false
	}
	d := until.Sub(clock.Now())
	return d, d > 0
}

// Do runs fn when the host may be asked.
func (h *hold) Do(ctx context.Context, fn func(context.Context) error) error {
	_, err := layer.Gated(ctx, h, clock.Unread, func(ctx context.Context, _ clock.Instant) (struct{}, error) {
		return struct{}{}, fn(ctx)
	})
	return err
}

// AcquireAt is how a mettle.Stack asks for admission. Without a hold it costs one atomic load.
func (h *hold) AcquireAt(ctx context.Context, now clock.Instant) (uint64, clock.Instant, error) {
	if clock.Instant(h.until.Load()) == clock.Unread {
		return 0, now, nil
	}
	return 0, clock.Unread, h.wait(ctx)
}

// wait returns nil when the hold is over, however often it was prolonged meanwhile.
func (h *hold) wait(ctx context.Context) error {
	begun := clock.Now()
	for {
		until, now := clock.Instant(h.until.Load()), clock.Now()
		if until == clock.Unread {
			return nil
		}
		left := until.Sub(now)
		if left <= 0 {
			h.until.CompareAndSwap(int64(until), int64(clock.Unread)) // so that nobody else reads the clock
			return nil
		}
		spread := left / 10
		if deadline, ok := ctx.Deadline(); ok {
			spread = min(spread, deadline.Sub(until.Time())/2)
		}
		if spread < 0 || until.Sub(begun) > h.maxWait {
			return h.reject(ctx, h.rejected, left)
		}
		// Those who wait would otherwise all come at once.
		t := time.NewTimer(left + rand.N(spread+1))
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return h.reject(ctx, mettle.Reject("hold", h.host, mark.Ended(ctx), h.left), left)
		}
	}
}

func (h *hold) reject(ctx context.Context, err *mettle.RejectedError, left time.Duration) error {
	if h.observer != nil {
		h.observer(ctx, mettle.Event{Kind: mettle.Rejected, Policy: "hold", Name: h.host, Err: err, Wait: left})
	}
	return err
}

// Release hears how the call ended.
func (h *hold) Release(_ context.Context, _ uint64, err error) {
	if err == nil {
		return
	}
	if s, ok := errors.AsType[*StatusError](err); ok && h.heeds(s) {
		h.extend(clock.Now().Add(s.after))
	}
}

// heeds reports whether s holds the host: with a wait that is asked of somebody.
func (h *hold) heeds(s *StatusError) bool { return holding(s, h.maxHint) }

func holding(s *StatusError, maxHint time.Duration) bool {
	return s.hinted && s.after > 0 && s.after <= maxHint && httprule.Holds(s.Code)
}

func (h *hold) extend(to clock.Instant) {
	for {
		until := h.until.Load() // clock.Unread is the least
		if until >= int64(to) || h.until.CompareAndSwap(until, int64(to)) {
			return
		}
	}
}

// Acquire is the two-step form of Do.
func (h *hold) Acquire(ctx context.Context) (mettle.Permit, error) {
	if _, _, err := h.AcquireAt(ctx, clock.Unread); err != nil {
		return mettle.Permit{}, err
	}
	return mettle.NewPermit(ctx, h, 0), nil
}

// Describe tells the host, and whether and for how long it is held.
func (h *hold) Describe() mettle.Description {
	left, held := h.left()
	d := mettle.Description{Kind: "hold", Name: h.host, Metrics: []mettle.Metric{{Name: "left_seconds", Value: left.Seconds()}}}
	if held {
		d.State = "held"
	}
	return d
}

// Fresh reports whether there is no hold to forget.
func (h *hold) Fresh() bool {
	_, held := h.left()
	return !held
}
