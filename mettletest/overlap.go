package mettletest

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/mettle-go/mettle"
)

// listener is a context that hears under which keys it is asked for values.
type listener struct {
	context.Context
	asked []any
}

func (l *listener) Value(key any) any {
	l.asked = append(l.asked, key)
	return nil
}

// branchKey returns the key under which contexts carry their branch, which Fork asks its own context for.
func branchKey() any {
	l := &listener{Context: context.Background()}
	mettle.Fork(l)
	return l.asked[0]
}

// together is a function whose runs overlap if the policy lets them: the first is slowest and none heeds its context.
type together struct {
	key any

	mu         sync.Mutex
	running    int
	overlapped bool
	branches   []any // of the runs
	ended      int
}

func (f *together) run(ctx context.Context) (int, error) {
	f.mu.Lock()
	f.branches = append(f.branches, ctx.Value(f.key))
	n := len(f.branches)
	f.running++
	f.overlapped = f.overlapped || f.running > 1
	f.mu.Unlock()

	time.Sleep(slow >> min(n-1, 20))

	f.mu.Lock()
	defer f.mu.Unlock()
	f.running--
	f.ended++
	return n, nil
}

func tryOverlap(tr *trial) {
	// The caller may itself be on a branch, which is then not one of the policy's own.
	ctx, outer := mettle.Fork(context.Background())
	f := &together{key: branchKey()}
	p := tr.policy(nil)
	var v int
	err := tr.returned(start(func() (err error) {
		v, err = mettle.Call(ctx, p, f.run)
		return err
	}))
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.overlapped {
		tr.skip("no two runs of a function that takes an hour overlapped")
	}
	for i, b := range f.branches {
		if b == nil || b == any(outer) {
			tr.fatalf("run %d of %d overlapped with another without a branch of its own: want mettle.Fork", i+1, len(f.branches))
		}
		if slices.Contains(f.branches[:i], b) {
			tr.fatalf("run %d of %d shares its branch with an earlier one: want a mettle.Fork for each", i+1, len(f.branches))
		}
	}
	if err != nil {
		tr.fatalf("%d runs succeeded, and Call returned %v", f.ended, err)
	}
	if v < 1 || v > len(f.branches) {
		tr.fatalf("%d runs succeeded, and Call returned %d, the value of none: want Keep for one of the branches", f.ended, v)
	}
}
