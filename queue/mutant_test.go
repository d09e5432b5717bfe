package queue

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/mettle-go/mettle/internal/waitq"
)

// The bugs planted here are those that queues of this world have had. Each is a Queue with one method, or one moment,
// gone wrong.

// greedy lets a Get that is canceled take an item with it.
type greedy struct{ *Queue[int] }

func (q greedy) Get(ctx context.Context) (int, error) {
	v, err := q.Queue.Get(ctx)
	if verdict(err) == ended {
		q.Queue.TryGet()
	}
	return v, err
}

// stubborn puts the item of a Put that was canceled.
type stubborn struct{ *Queue[int] }

func (q stubborn) Put(ctx context.Context, v int) error {
	err := q.Queue.Put(ctx, v)
	if verdict(err) == ended {
		q.Queue.TryPut(v)
	}
	return err
}

// deaf moves items and wakes nobody of the other side.
type deaf struct{ *Queue[int] }

func (q deaf) TryGet() (int, error) {
	q.out.mu.Lock()
	defer q.out.mu.Unlock()
	return q.get()
}

// barging wakes the first of the line to race for the room that is free meanwhile.
type barging struct{ *Queue[int] }

func (q barging) TryGet() (int, error) {
	q.out.mu.Lock()
	v, err := q.get()
	q.out.mu.Unlock()
	q.in.mu.Lock()
	var out waitq.Batch[int]
	if w := q.in.line.Front(); err == nil && w != nil {
		q.in.line.Dismiss(w, &out)
	}
	q.in.mu.Unlock()
	out.Wake()
	return v, err
}

func (q barging) Put(ctx context.Context, v int) error {
	for {
		err := q.Queue.Put(ctx, v)
		if err != ErrClosed || q.closed.Load() {
			return err
		}
	}
}

// stack serves the last of those who wait first.
type stack struct{ *Queue[int] }

func (q stack) TryPut(v int) error {
	q.in.mu.Lock()
	err := q.put(v)
	q.in.mu.Unlock()
	q.out.mu.Lock()
	var out waitq.Batch[int]
	if w := q.out.line.Back(); err == nil && w != nil && q.any() {
		w.Value = q.pop()
		q.out.line.Grant(w, &out)
	}
	q.out.mu.Unlock()
	out.Wake()
	return err
}

// hasty drops what is left at Close.
type hasty struct{ *Queue[int] }

func (q hasty) Close() { q.Queue.CloseNow() }

// sleepy leaves those who wait where they are at Close.
type sleepy struct{ *Queue[int] }

func (q sleepy) Close() { q.closed.Store(true) }

// owing does not count as done what CloseNow returns.
type owing struct{ *Queue[int] }

func (q owing) CloseNow() (rest []int) {
	q.Close()
	for {
		v, err := q.TryGet()
		if err != nil {
			return rest
		}
		rest = append(rest, v)
	}
}

// losing has CloseNow forget the last item.
type losing struct{ *Queue[int] }

func (q losing) CloseNow() []int {
	rest := q.Queue.CloseNow()
	return rest[:max(len(rest)-1, 0)]
}

// blind has Wait look only at whether the queue is empty.
type blind struct{ *Queue[int] }

func (q blind) Wait(ctx context.Context) error {
	if q.Len() == 0 {
		return nil
	}
	return q.Queue.Wait(ctx)
}

// mute counts a Done and tells nobody who waits for it.
type mute struct{ *Queue[int] }

func (q mute) Done() {
	if q.done.Load() == q.out.count.Load() {
		panic("too many")
	}
	q.done.Add(1)
}

// lenient lets Done be called too often.
type lenient struct{ *Queue[int] }

func (q lenient) Done() {
	if q.done.Load() < q.out.count.Load() {
		q.Queue.Done()
	}
}

// late serves a context that has ended if it need not wait.
type late struct{ *Queue[int] }

func (q late) Get(ctx context.Context) (int, error) {
	if v, err := q.TryGet(); err == nil {
		return v, nil
	}
	return q.Queue.Get(ctx)
}

func TestPlantedBugsAreCaught(t *testing.T) {
	for name, with := range map[string]func(capacity int) subject{
		"a canceled Get takes an item":              func(n int) subject { return greedy{New[int](n)} },
		"a canceled Put puts its item":              func(n int) subject { return stubborn{New[int](n)} },
		"room is made and nobody is woken":          func(n int) subject { return deaf{New[int](n)} },
		"a newcomer passes the line":                func(n int) subject { return barging{New[int](n)} },
		"the last who waits is served first":        func(n int) subject { return stack{New[int](n)} },
		"Close drops what is left":                  func(n int) subject { return hasty{New[int](n)} },
		"Close leaves those who wait":               func(n int) subject { return sleepy{New[int](n)} },
		"what CloseNow returns is still to be done": func(n int) subject { return owing{New[int](n)} },
		"CloseNow loses an item":                    func(n int) subject { return losing{New[int](n)} },
		"Wait is content with an empty queue":       func(n int) subject { return blind{New[int](n)} },
		"the last Done wakes nobody":                func(n int) subject { return mute{New[int](n)} },
		"Done may be called too often":              func(n int) subject { return lenient{New[int](n)} },
		"an ended context is served":                func(n int) subject { return late{New[int](n)} },
		"one item more than the capacity":           func(n int) subject { return New[int](n + 1) },
	} {
		t.Run(name, func(t *testing.T) {
			caught := false
			for seed := uint64(0); seed < 300 && !caught; seed++ {
				synctest.Test(t, func(t *testing.T) { caught = check(random(seed, 300), with, true) != nil })
				if t.Failed() {
					return
				}
			}
			if !caught {
				t.Error("300 random runs do not show the bug")
			}
		})
	}
}
