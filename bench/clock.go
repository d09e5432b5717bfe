package main

import (
	"context"
	"errors"
	"time"
)

// A reading is a way to look at the clock: it returns whether a second has gone since begin.
type reading func(begin time.Time) bool

// clockRows tells what the machine asks for a look at the clock, and what calling a function through this program costs by itself:
// all other figures contain the latter, and many the former.
func clockRows() []row {
	return []row{
		{"clock", "the machine's clock", contenders([]rival[struct{}, reading]{
			{"time.Since", func(*bed, struct{}) reading {
				return func(begin time.Time) bool { return time.Since(begin) >= time.Second }
			}},
			{"time.Now", func(*bed, struct{}) reading {
				return func(begin time.Time) bool { now := time.Now(); return now.Sub(begin) >= time.Second }
			}},
		}, struct{}{}, readings, checkReading)},
		{"call", "the function alone, without any policy", contenders([]rival[struct{}, act]{
			{"fn(ctx)", func(*bed, struct{}) act {
				return func(ctx context.Context, fn func(context.Context) error) error { return fn(ctx) }
			}},
		}, struct{}{}, succeeds(nothing), checkPasses)},
	}
}

func readings(read reading) loop {
	return func(_ context.Context, n int) error {
		begin := time.Now().Add(-time.Minute)
		for range n {
			if !read(begin) {
				return errors.New("the clock went back")
			}
		}
		return nil
	}
}

func checkReading(build func(struct{}) reading) error {
	now := time.Now()
	if read := build(struct{}{}); !read(now.Add(-time.Minute)) || read(now.Add(time.Minute)) {
		return errors.New("does not read the clock")
	}
	return nil
}

func checkPasses(build func(struct{}) act) error { return passes(build(struct{}{})) }
