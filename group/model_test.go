package group_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle/group"
)

// fate is what a planned task does, and what the model says became of it.
type fate byte

const (
	works fate = iota
	fails
	panics
	exits
	obeys // works, but ends early when canceled
	stops // like obeys, but returns nil then
	fates

	canceled   fate = fates
	notStarted fate = fates + 1
)

// plan is a scope and its tasks, in virtual time.
type plan struct {
	limit, maxFailures int
	leaves             time.Duration // when the caller's context ends
	stops, cuts        time.Duration // when the scope is stopped, and when the grace is over; Run alone can be
	tasks              []planned
}

type planned struct {
	does  fate
	takes time.Duration
}

// planFrom reads a plan. The low bits of each time are unique to it, also in sums of them, so that no two things
// happen at once and the model's answer is the only right one.
func planFrom(data []byte) plan {
	const grain = 22
	data = append(data, 0, 0, 0)
	p := plan{limit: 1 + int(data[0])%6, maxFailures: int(data[1])%6 - 1, leaves: math.MaxInt64, stops: math.MaxInt64, cuts: math.MaxInt64}
	if data[2]%2 == 1 {
		p.leaves = time.Duration(data[2])<<grain + 1<<(grain-1)
	}
	if n := data[2] / 2; n%2 == 1 {
		p.stops = time.Duration(n/2)<<grain + 1<<(grain-2)
		p.cuts = p.stops + time.Duration(n%16/2)<<(grain+1)
	}
	for i, b := range data[3:min(len(data), 3+20)] {
		p.tasks = append(p.tasks, planned{does: fate(b) % fates, takes: time.Duration(b/byte(fates))<<grain + 1<<i})
	}
	return p
}

// outcomes is the model: places are given in order, each to the next task, until the scope is canceled. It knows neither queues nor
// goroutines.
//
// The second result is whether the Error is one of a stop.
func (p plan) outcomes() ([]fate, bool) {
	free := make([]time.Duration, p.limit)
	ends := make([]time.Duration, len(p.tasks))
	out := make([]fate, len(p.tasks))
	// end returns when the scope is canceled as far as the first n tasks decide it.
	end := func(n int) time.Duration {
		at := min(p.leaves, p.cuts)
		allowed := max(p.maxFailures, 1)
		for i := range n {
			earlier := 0 // failures up to that of i
			for j := range n {
				if (out[j] == fails || out[j] == exits || out[j] == panics) && ends[j] <= ends[i] {
					earlier++
				}
			}
			switch {
			case out[i] == panics,
				(out[i] == fails || out[i] == exits) && p.maxFailures >= 0 && earlier >= allowed:
				at = min(at, ends[i])
			}
		}
		return at
	}
	for i, task := range p.tasks {
		place := 0
		for k := range free {
			if free[k] < free[place] {
				place = k
			}
		}
		if min(end(i), p.stops) <= free[place] {
			out[i] = notStarted
			continue
		}
		out[i], ends[i] = task.does, free[place]+task.takes
		free[place] = ends[i]
	}
	over, ended := end(len(out)), true // ended before that
	for i := range out {
		if ends[i] >= over {
			ended = false
		}
		if out[i] == obeys && ends[i] > over {
			out[i] = canceled
		}
	}
	return out, over == p.cuts && !ended || ended && slices.Contains(out, notStarted)
}

func (task planned) run(ctx context.Context) error {
	early := ctx.Done()
	if task.does != obeys && task.does != stops {
		early = nil
	}
	select {
	case <-time.After(task.takes):
	case <-early:
		if task.does == stops {
			return nil
		}
		return context.Cause(ctx)
	}
	switch task.does {
	case fails:
		return errBoom
	case panics:
		panic(errBoom)
	case exits:
		runtime.Goexit()
	}
	return nil
}

func (p plan) check(t *testing.T) {
	want, stopped := p.outcomes()
	var counts [4]int
	for _, f := range want {
		switch f {
		case works, obeys, stops:
			counts[0]++
		case fails, panics, exits:
			counts[1]++
		case canceled:
			counts[2]++
		case notStarted:
			counts[3]++
		}
	}
	scope := func(t *testing.T, total int, run func(ctx context.Context, cfg group.Config) error) *group.Error {
		gone := errors.New("user left")
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		defer time.AfterFunc(p.leaves, func() { cancel(gone) }).Stop()
		var last group.Progress
		cfg := group.Config{Limit: p.limit, MaxFailures: p.maxFailures, Progress: func(now group.Progress) {
			if now.Done < last.Done || now.Failed < last.Failed || now.Failed > now.Done || now.Elapsed < last.Elapsed {
				t.Errorf("progress went from %+v to %+v: %+v", last, now, p)
			}
			last = now
		}}
		err := run(ctx, cfg)
		if last.Done != counts[0]+counts[1]+counts[2] || last.Failed != counts[1] || last.Total != total {
			t.Fatalf("the last progress is %+v, want %d of %d: %+v", last, counts, total, p)
		}
		if counts[1]+counts[2]+counts[3] == 0 {
			if err != nil {
				t.Fatalf("%v, want nil: %+v", err, p)
			}
			return nil
		}
		e := wantCounts(t, err, counts[0], counts[1], counts[2], counts[3])
		if errors.Is(err, gone) != (context.Cause(ctx) == gone) {
			t.Fatalf("%v: is it the parent's cause? %+v", err, p)
		}
		if errors.Is(err, group.ErrStopped) != stopped || (e.Cause == group.ErrStopped) != stopped {
			t.Fatalf("%v, cause %v: is it a stop's? want %v: %+v", err, e.Cause, stopped, p)
		}
		return e
	}
	synctest.Test(t, func(t *testing.T) {
		scope(t, 0, func(ctx context.Context, cfg group.Config) error {
			return group.RunWith(ctx, cfg, func(g *group.Group) error {
				if p.stops < math.MaxInt64 {
					time.AfterFunc(p.stops, func() { g.Stop(p.cuts - p.stops) }) // also after the end
				}
				for _, task := range p.tasks {
					g.Go(func(ctx context.Context) error {
						select {
						case <-g.Stopping():
							t.Errorf("a stopped scope started a task: %+v", p)
						default:
						}
						return task.run(ctx)
					})
				}
				return nil
			})
		})
	})
	if p.stops < math.MaxInt64 {
		return // Map cannot be stopped
	}
	synctest.Test(t, func(t *testing.T) {
		var got []bool
		e := scope(t, len(p.tasks), func(ctx context.Context, cfg group.Config) (err error) {
			got, err = group.Map(ctx, p.tasks, cfg, func(ctx context.Context, task planned) (bool, error) {
				return true, task.run(ctx)
			})
			return err
		})
		for i, f := range want {
			err := e.Item(i)
			ok := false
			switch f {
			case works, obeys, stops:
				ok = err == nil
			case fails:
				ok = errors.Is(err, errBoom)
			case panics:
				_, ok = errors.AsType[*group.PanicError](err)
			case exits:
				ok = errors.Is(err, group.ErrGoexit)
			case canceled:
				ok = errors.Is(err, e.Cause)
			case notStarted:
				ok = err == group.ErrNotStarted
			}
			if !ok || got[i] != (err == nil) {
				t.Fatalf("item %d: %v, %v, want fate %d: %+v", i, got[i], err, f, p)
			}
		}
	})
}

func TestScopesFollowTheModel(t *testing.T) {
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 1))
		data := make([]byte, 4+r.IntN(20))
		for i := range data {
			data[i] = byte(r.Uint32())
			if i > 2 && r.IntN(2) == 0 {
				data[i] -= data[i] % byte(fates) // let half of them work
			}
		}
		planFrom(data).check(t)
	}
}

func FuzzScopesFollowTheModel(f *testing.F) {
	f.Add([]byte{1, 3, 0, 1, 7, 13, 6, 2, 4})
	f.Add([]byte{2, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8})
	f.Add([]byte{0, 2, 9, 60, 64, 65, 70, 71, 72})
	f.Fuzz(func(t *testing.T, data []byte) { planFrom(data).check(t) })
}
