package group_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mettle-go/mettle/group"
)

// ranging is a stream and the loop over it, in virtual time.
type ranging struct {
	limit, maxFailures int
	unordered          bool
	leaves             time.Duration // when the caller's context ends
	breakAt            int           // the turn of the loop that is its last; never, if there are fewer
	leave              func()        // how it ends there
	steps              []step
}

// step is an item, and what else takes time.
type step struct {
	planned
	gap  time.Duration // until seq has the item, once it is asked
	body time.Duration // of the loop, at this turn
}

// rangingFrom reads a program. As in planFrom, the low bits of each time are unique to it, so that no two things happen
// at once but by cause and effect.
func rangingFrom(data []byte) ranging {
	const grain, most = 40, 12
	data = append(data, 0, 0, 0, 0)
	p := ranging{
		limit:       1 + int(data[0])%4,
		maxFailures: int(data[1])%5 - 1,
		unordered:   data[2]%2 == 1,
		leaves:      math.MaxInt64,
		breakAt:     int(data[3]) % 16,
		leave:       []func(){nil, nil, panicsAt, runtime.Goexit}[data[2]/2%4],
	}
	if data[2]/8%4 == 3 {
		p.leaves = time.Duration(data[2])<<(grain-2) + 1<<(grain-3)
	}
	if data[3]%2 == 0 {
		p.breakAt = -1
	}
	for i, b := range data[4:min(len(data), 4+most)] {
		p.steps = append(p.steps, step{
			planned: planned{does: fate(b) % fates, takes: time.Duration(b/byte(fates)%8)<<grain + 1<<i},
			gap:     time.Duration(b>>6&1)<<grain + 1<<(most+i),
			body:    time.Duration(b>>7)<<(grain+1) + 1<<(2*most+i),
		})
	}
	return p
}

// turn is a pair of an item as the loop should see it.
type turn struct {
	index int
	fate  fate
}

// expected is what the model says of a program.
type expected struct {
	turns   []turn // of all items taken
	exact   int    // so many of them are in this order; the others are as well, unless unordered
	last    bool   // there is one last pair
	counts  [4]int // in it
	breaks  bool
	returns time.Duration // of the loop, where it breaks and nothing was canceled before
}

// outcomes is the model. It knows when each thing happens if nothing is ever canceled, which is right until the first
// cancellation, and that decides all the rest. There are no goroutines in it and no queues.
func (p ranging) outcomes() (x expected) {
	n, window := len(p.steps), 2*p.limit
	ask, take, start, end := make([]time.Duration, n+1), make([]time.Duration, n), make([]time.Duration, n), make([]time.Duration, n)
	yield := make([]time.Duration, n)
	free := make([]time.Duration, p.limit)
	asked := func(k int) {
		if k > 0 {
			ask[k] = take[k-1]
		}
		if k >= window {
			ask[k] = max(ask[k], yield[k-window])
		}
	}
	var order []int
	over := time.Duration(0) // the loop's last body
	for j, known := 0, 0; j < n; j++ {
		for ; known < min(n, j+window); known++ {
			asked(known)
			slices.Sort(free)
			take[known] = ask[known] + p.steps[known].gap
			start[known] = max(take[known], free[0])
			end[known] = start[known] + p.steps[known].takes
			free[0] = end[known]
		}
		next := j
		if p.unordered {
			next = -1
			for k := range known {
				if !slices.Contains(order, k) && (next < 0 || end[k] < end[next]) {
					next = k
				}
			}
		}
		order = append(order, next)
		yield[j] = max(end[next], over)
		over = yield[j] + p.steps[j].body
	}
	asked(n)
	over = max(over, ask[n])

	ends := p.leaves
	failures := 0
	byEnd := slices.Clone(order)
	slices.SortFunc(byEnd, func(a, b int) int { return int(end[a] - end[b]) })
	for _, k := range byEnd {
		switch p.steps[k].does {
		case fails, exits:
			if failures++; failures == max(p.maxFailures, 1) && p.maxFailures >= 0 {
				ends = min(ends, end[k])
			}
		case panics:
			ends = min(ends, end[k])
		}
	}
	if x.last = ends < over; !x.last {
		ends = math.MaxInt64
	}

	fates := make([]fate, n)
	for k := range n {
		switch does := p.steps[k].does; {
		case start[k] >= ends:
			fates[k] = notStarted
		case does == obeys && end[k] > ends:
			fates[k] = canceled
		default:
			fates[k] = does
		}
	}
	for _, k := range order { // in an ordered stream that is the order of the items
		if end[k] < ends {
			x.turns = append(x.turns, turn{k, fates[k]})
		}
	}
	x.exact = len(x.turns)
	if !p.unordered {
		x.turns = nil
	}
	for k := range n {
		if ask[k] < ends && (!p.unordered || end[k] >= ends) {
			x.turns = append(x.turns, turn{k, fates[k]})
		}
	}
	if !p.unordered {
		x.exact = len(x.turns)
	}
	for _, turn := range x.turns {
		switch turn.fate {
		case works, obeys, stops:
			x.counts[0]++
		case fails, panics, exits:
			x.counts[1]++
		case canceled:
			x.counts[2]++
		case notStarted:
			x.counts[3]++
		}
	}
	if x.breaks = p.breakAt >= 0 && p.breakAt < len(x.turns); x.breaks {
		x.last = false
		if at := yield[p.breakAt] + p.steps[p.breakAt].body; at < ends {
			x.returns = at
			for k := range n {
				if ask[k] < at {
					x.returns = max(x.returns, take[k]) // seq is waited for
				}
				if does := p.steps[k].does; start[k] < at && does != obeys && does != stops {
					x.returns = max(x.returns, end[k])
				}
			}
		}
	}
	return x
}

type (
	ints     = iter.Seq[int]
	pairs    = iter.Seq2[int, error]
	call     = func(context.Context, int) (int, error)
	streamer func(context.Context, ints, group.Config, call) pairs
)

// check runs p, in a bubble, and compares it with the model.
func (p ranging) check(stream streamer) error {
	x := p.outcomes()
	begin := time.Now()
	gone := errors.New("user left")
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	defer time.AfterFunc(p.leaves, func() { cancel(gone) }).Stop()

	var taken, yielded, calls, seqs atomic.Int64
	var wrong atomic.Pointer[string]
	report := func(format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		wrong.CompareAndSwap(nil, &text)
	}
	seq := func(give func(int) bool) {
		seqs.Add(1)
		defer seqs.Add(-1)
		for k, step := range p.steps {
			time.Sleep(step.gap)
			if ahead := taken.Add(1) - yielded.Load(); ahead > int64(2*p.limit) {
				report("%d items are ahead", ahead)
			}
			if !give(k) {
				return
			}
		}
	}
	fn := func(ctx context.Context, k int) (int, error) {
		if calls.Add(1) > int64(p.limit) {
			report("%d calls at a time", calls.Load())
		}
		defer calls.Add(-1)
		return k + 1, p.steps[k].run(ctx)
	}

	var turns []turn
	var last *group.Error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer func() { _ = recover() }()
		defer func() {
			if calls.Load() != 0 || seqs.Load() != 0 {
				report("%d calls and %d seqs outlive the loop", calls.Load(), seqs.Load())
			}
			if took := time.Since(begin); x.returns != 0 && took != x.returns {
				report("the loop returned after %v, want %v", took, x.returns)
			}
		}()
		cfg := group.Config{Limit: p.limit, MaxFailures: p.maxFailures, Unordered: p.unordered}
		for v, err := range stream(ctx, seq, cfg, fn) {
			if last != nil {
				report("%d, %v after the last pair", v, err)
			}
			if all, ok := err.(*group.Error); ok {
				last = all
				continue
			}
			turns = append(turns, turnOf(v, err, ctx))
			yielded.Add(1)
			if now := len(turns) - 1; now < len(p.steps) {
				time.Sleep(p.steps[now].body)
				if now == p.breakAt {
					if p.leave == nil {
						return
					}
					p.leave()
				}
			}
		}
	}()
	<-ended

	want := x.turns
	if x.breaks {
		want = want[:min(len(want), p.breakAt+1)]
	}
	for i := range want { // what may be told apart by its value and error
		switch want[i].fate {
		case obeys, stops:
			want[i].fate = works
		}
	}
	byIndex := func(a, b turn) int { return a.index - b.index }
	switch exact := min(x.exact, len(want)); {
	case wrong.Load() != nil:
		return errors.New(*wrong.Load())
	case len(turns) != len(want):
		return fmt.Errorf("yielded %v, want %v", turns, want)
	case !slices.Equal(turns[:exact], want[:exact]):
		return fmt.Errorf("yielded %v, want %v in this order", turns, want[:exact])
	case !x.breaks:
		slices.SortFunc(turns[exact:], byIndex)
		if !slices.Equal(turns[exact:], want[exact:]) {
			return fmt.Errorf("yielded %v, want %v in any order", turns[exact:], want[exact:])
		}
	}
	if x.last != (last != nil) {
		return fmt.Errorf("last pair with %v, want one: %v", last, x.last)
	}
	if last != nil {
		if got := [...]int{last.Succeeded, last.Failed, last.Canceled, last.NotStarted}; got != x.counts {
			return fmt.Errorf("%v: counts %v, want %v", last, got, x.counts)
		}
		if errors.Is(last, gone) != (context.Cause(ctx) == gone) || last.Cause == nil {
			return fmt.Errorf("%v, because of %v: is it the parent's cause?", last, last.Cause)
		}
	}
	return nil
}

// turnOf tells from a pair what became of its item.
func turnOf(v int, err error, parent context.Context) turn {
	if err == nil {
		return turn{v - 1, works}
	}
	item, ok := err.(*group.ItemError)
	if !ok || v != 0 {
		return turn{-1, fates}
	}
	switch _, isPanic := item.Err.(*group.PanicError); {
	case isPanic:
		return turn{item.Index, panics}
	case item.Err == group.ErrGoexit:
		return turn{item.Index, exits}
	case item.Err == group.ErrNotStarted:
		return turn{item.Index, notStarted}
	case item.Err == errBoom:
		return turn{item.Index, fails}
	default:
		return turn{item.Index, canceled}
	}
}

func randomRanging(seed uint64) ranging {
	r := rand.New(rand.NewPCG(seed, 2))
	data := make([]byte, 4+r.IntN(13))
	for i := range data {
		data[i] = byte(r.Uint32())
		if i > 3 && r.IntN(2) == 0 {
			data[i] -= data[i] % byte(fates) // let half of them work
		}
	}
	return rangingFrom(data)
}

func TestStreamsFollowTheModel(t *testing.T) {
	for seed := range uint64(1000) {
		synctest.Test(t, func(t *testing.T) {
			p := randomRanging(seed)
			if err := p.check(group.Stream[int, int]); err != nil {
				t.Fatalf("seed %d: %v: %+v", seed, err, p)
			}
		})
	}
}

func FuzzStreamsFollowTheModel(f *testing.F) {
	f.Add([]byte{1, 3, 0, 1, 7, 13, 6, 2, 4})
	f.Add([]byte{2, 0, 25, 3, 2, 3, 4, 5, 6, 70, 140})
	f.Add([]byte{0, 2, 9, 60, 64, 65, 70, 71, 72})
	f.Fuzz(func(t *testing.T, data []byte) {
		synctest.Test(t, func(t *testing.T) {
			if err := rangingFrom(data).check(group.Stream[int, int]); err != nil {
				t.Fatal(err)
			}
		})
	})
}
