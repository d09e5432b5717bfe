package mettletest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mettle-go/mettle"
)

// reentrant is an observer that calls back into the policy that it observes.
type reentrant struct {
	policy atomic.Pointer[mettle.Policy] // nil while the policy is being made
	within atomic.Bool                   // do not answer one's own events

	mu    sync.Mutex
	wrong error // of the first event that was
}

func (r *reentrant) observe(ctx context.Context, e mettle.Event) {
	p := r.policy.Load()
	if p == nil || r.within.Swap(true) {
		return
	}
	defer r.within.Store(false)
	kind, name := e.Policy, e.Name
	if d, ok := (*p).(mettle.Describer); ok {
		d := d.Describe()
		kind, name = d.Kind, d.Name
	}
	switch {
	case e.Kind.String() == mettle.Kind(0).String():
		r.object(fmt.Errorf("an event of the unknown kind %d", e.Kind))
	case e.Policy == "" || e.Policy != kind || e.Name != name:
		r.object(fmt.Errorf("an event (%v) of the policy %q named %q, where Describe says %q named %q", e.Kind, e.Policy, e.Name, kind, name))
	case ctx.Value(callerKey{}) == nil:
		r.object(fmt.Errorf("an event (%v) under a context without the caller's values", e.Kind))
	}
	(*p).Do(ctx, Succeed())
}

func (r *reentrant) object(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.wrong == nil {
		r.wrong = err
	}
}

func tryObserver(tr *trial) {
	for _, make := range []func(mettle.Observer) mettle.Policy{tr.policy, tr.rejecting} {
		var r reentrant
		p := make(r.observe)
		if p == nil {
			continue
		}
		r.policy.Store(&p)
		ctx, cancel := context.WithTimeout(context.WithValue(context.Background(), callerKey{}, "the caller's"), limit/2)
		defer cancel()
		for range 2 * crowd { // failures enough for a breaker to open
			tr.do(ctx, p, Fail(errDown))
		}
		time.Sleep(pause)
		tr.do(ctx, p, Succeed())
		tr.do(ctx, p, Slow(slow, Succeed()))
		time.Sleep(pause)
		hang, stop := context.WithTimeout(ctx, slow)
		defer stop()
		tr.do(hang, p, Hang())
		if r.wrong != nil {
			tr.fatalf("the observer got %v", r.wrong)
		}
	}
}

var metricName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

func tryDescribe(tr *trial) {
	p := tr.policy(nil)
	d, ok := p.(mettle.Describer)
	if !ok {
		tr.skip(fmt.Sprintf("%T is no mettle.Describer", p))
	}
	first := d.Describe()
	inspect := func() error {
		now := d.Describe()
		if now.Kind == "" || now.Kind != first.Kind || now.Name != first.Name {
			return fmt.Errorf("the description has the kind %q and the name %q, and had at first %q and %q", now.Kind, now.Name, first.Kind, first.Name)
		}
		seen := make(map[string]bool)
		for _, m := range now.Metrics {
			if !metricName.MatchString(m.Name) || seen[m.Name] {
				return fmt.Errorf("the description has a metric %q, want lower case with underscores, and each name once", m.Name)
			}
			if math.IsNaN(m.Value) || math.IsInf(m.Value, 0) {
				return fmt.Errorf("the description has the metric %s = %v, want a number", m.Name, m.Value)
			}
			seen[m.Name] = true
		}
		return nil
	}
	var mu sync.Mutex
	var wrong error
	look := func(context.Context) error {
		if err := inspect(); err != nil {
			mu.Lock()
			defer mu.Unlock()
			wrong = err
		}
		return nil
	}
	ctx := context.Background()
	look(ctx)
	tr.do(ctx, p, look)
	var calls []*pending
	for range crowd {
		calls = append(calls, start(func() error { return p.Do(ctx, look) }))
	}
	for _, c := range calls {
		tr.returned(c)
	}
	look(ctx)
	if wrong != nil {
		tr.fatalf("%v", wrong)
	}
}

// own is the result of one of many calls.
type own struct{ call, turn int }

func (o own) Error() string { return fmt.Sprintf("call %d failed in turn %d", o.call, o.turn) }

func tryConcurrent(tr *trial) {
	const turns = 8
	p := tr.policy(nil)
	var admitted atomic.Int64
	var calls []*pending
	for i := range crowd {
		calls = append(calls, start(func() error {
			for turn := range turns {
				mine := own{i, turn}
				var runs atomic.Int64
				v, err := mettle.Call(context.Background(), p, func(context.Context) (own, error) {
					runs.Add(1)
					if turn%2 == 0 { // results cross where calls overlap in time, or on a processor
						time.Sleep(time.Duration(i%4) * time.Millisecond)
					} else {
						runtime.Gosched()
					}
					if (i+turn)%8 == 0 {
						return own{}, mine
					}
					return mine, nil
				})
				if err := mine.wrong(v, err, runs.Load(), (i+turn)%8 == 0); err != nil {
					return err
				}
				admitted.Add(min(1, runs.Load()))
			}
			return nil
		}))
	}
	var wrong error
	for _, c := range calls { // all of them, so that none is left behind
		if err := tr.returned(c); err != nil && wrong == nil {
			wrong = err
		}
	}
	if wrong != nil {
		tr.fatalf("of %d calls at once %v", crowd, wrong)
	}
	if admitted.Load() == 0 {
		tr.fatalf("of %d calls at once none was let in", crowd)
	}
}

// wrong tells what is, if anything, when o's call ran its function so many times and returned v and err.
func (o own) wrong(v own, err error, runs int64, fails bool) error {
	e, failed := errors.AsType[own](err)
	switch {
	case errors.Is(err, mettle.ErrRejected):
		if runs > 0 {
			return fmt.Errorf("one was rejected though its function ran: %v", err)
		}
	case runs == 0:
		return fmt.Errorf("one did not run its function and returned %v", err)
	case fails && (!failed || e != o):
		return fmt.Errorf("one failed with %q and returned %v", o, err)
	case !fails && (err != nil || v != o):
		return fmt.Errorf("one returned %+v, %v where its function had returned %+v, nil", v, err, o)
	}
	return nil
}
