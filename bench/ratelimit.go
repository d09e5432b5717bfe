package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/failsafe-go/failsafe-go/ratelimiter"
	"golang.org/x/time/rate"

	"github.com/mettle-go/mettle/ratelimit"
)

var errLimited = errors.New("limited")

// A quota is how many calls a limiter allows: n in per.
type quota struct {
	n   int
	per time.Duration
}

var (
	// plenty is never used up: a call takes longer than a nanosecond.
	plenty = quota{1e9, time.Second}
	// little is used up by the first call.
	little = quota{1, 24 * time.Hour}
)

func limiterRows() []row {
	rivals := limiters()
	return []row{
		{"ratelimit/allowed", "rate limit, allowed", contenders(rivals, plenty, succeeds(nothing), checkQuota)},
		{"ratelimit/rejected", "rate limit used up: rejects", contenders(rivals, little, usedUp, checkQuota)},
	}
}

func limiters() []rival[quota, act] {
	return []rival[quota, act]{
		{"mettle", func(_ *bed, q quota) act { return mettleLimiter(q).Do }},
		{"mettle, Allow", func(_ *bed, q quota) act {
			l := mettleLimiter(q)
			return func(ctx context.Context, fn func(context.Context) error) error {
				if !l.Allow() {
					return ratelimit.ErrLimited
				}
				return fn(ctx)
			}
		}},
		// Allow is its form that rejects, as opposed to Wait.
		{"x/time/rate", func(_ *bed, q quota) act {
			l := rate.NewLimiter(rate.Every(q.per/time.Duration(q.n)), q.n)
			return func(ctx context.Context, fn func(context.Context) error) error {
				if !l.Allow() {
					return errLimited
				}
				return fn(ctx)
			}
		}},
		{"failsafe-go", func(_ *bed, q quota) act {
			return failsafeAct[any](ratelimiter.NewBursty[any](uint(q.n), q.per))
		}},
		{"failsafe-go, standalone", func(_ *bed, q quota) act {
			l := ratelimiter.NewBursty[any](uint(q.n), q.per)
			return func(ctx context.Context, fn func(context.Context) error) error {
				if !l.TryAcquirePermit() {
					return ratelimiter.ErrExceeded
				}
				return fn(ctx)
			}
		}},
	}
}

func mettleLimiter(q quota) *ratelimit.Limiter {
	return ratelimit.New(ratelimit.Config{Rate: q.n, Per: q.per, Burst: q.n})
}

// usedUp is rejects, for a limiter whose quota one call uses up.
func usedUp(do act) loop {
	do(context.Background(), nothing)
	return rejects(do)
}

// checkQuota returns an error unless the limiter allows as many calls as its quota says, and no more.
func checkQuota(build func(quota) act) error {
	if err := passes(build(plenty)); err != nil {
		return err
	}
	ctx, cancel := request()
	defer cancel()
	for _, q := range []quota{little, {5, 24 * time.Hour}} {
		do, runs := build(q), 0
		for range 2 * q.n {
			do(ctx, func(context.Context) error { runs++; return nil })
		}
		if runs != q.n {
			return fmt.Errorf("ran %d of %d calls, want %d", runs, 2*q.n, q.n)
		}
		if err := turnsAway(ctx, do); err != nil {
			return err
		}
	}
	return nil
}
