package mettletest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/mettle-go/mettle"
)

// failed is an error that only errors.As and identity tell from others of its kind.
type failed struct{ run int }

func (e *failed) Error() string { return fmt.Sprintf("run %d failed", e.run) }

func trySuccess(tr *trial) {
	p := tr.policy(nil)
	dep := NewScript().Then(Succeed())
	err := tr.do(context.Background(), p, dep.Run)
	if dep.Calls() == 0 {
		tr.fatalf("Do returned %v, and the function did not run", err)
	}
	if err != nil {
		tr.fatalf("Do returned %v for a function that returned nil", err)
	}
}

// answer is a result that no policy can make up.
type answer struct {
	of  *answers
	run int
}

// answers gives them out and knows which runs succeeded.
type answers struct {
	failures int // of the first runs

	mu   sync.Mutex
	runs int
	good map[int]bool
}

func (a *answers) next(context.Context) (answer, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.runs++
	if a.runs <= a.failures {
		return answer{a, -a.runs}, &failed{a.runs}
	}
	if a.good == nil {
		a.good = make(map[int]bool)
	}
	a.good[a.runs] = true
	return answer{a, a.runs}, nil
}

func tryValue(tr *trial) {
	ctx := context.Background()
	pass := mettle.PolicyFunc(func(ctx context.Context, fn func(context.Context) error) error { return fn(ctx) })
	for _, failures := range []int{0, 1} {
		for _, form := range []struct {
			name string
			of   func(mettle.Policy) mettle.Policy
		}{
			{"the policy", func(p mettle.Policy) mettle.Policy { return p }},
			{"a stack of it", func(p mettle.Policy) mettle.Policy { return mettle.Compose(p) }},
			{"a stack with others around", func(p mettle.Policy) mettle.Policy { return mettle.Compose(pass, p, pass) }},
		} {
			p := form.of(tr.policy(nil))
			a := &answers{failures: failures}
			var v answer
			err := tr.returned(start(func() (err error) {
				v, err = mettle.Call(ctx, p, a.next)
				return err
			}))
			switch {
			case err == nil && failures > 0 && len(a.good) == 0: // an error is lost, which another check says
			case err == nil && (v.of != a || !a.good[v.run]):
				tr.fatalf("Call through %s returned %+v, which no successful run of %d returned", form.name, v, a.runs)
			case err != nil && failures == 0:
				tr.fatalf("Call through %s returned %v for a function that returned a nil error", form.name, err)
			case err != nil && v != answer{}:
				tr.fatalf("Call through %s returned a value beside its error: %+v", form.name, v)
			}
		}
	}
}

func tryError(tr *trial) {
	p := tr.policy(nil)
	var mu sync.Mutex
	made := make(map[*failed]bool)
	err := tr.do(context.Background(), p, func(context.Context) error {
		mu.Lock()
		defer mu.Unlock()
		e := &failed{len(made) + 1}
		made[e] = true
		return e
	})
	if err == nil {
		tr.fatalf("Do returned nil for a function that failed in each of %d runs", len(made))
	}
	e, ok := errors.AsType[*failed](err)
	if !ok || !made[e] || !errors.Is(err, e) {
		tr.fatalf("Do returned %T %q, in which errors.As does not find the function's error", err, err)
	}
	if errors.Is(err, mettle.ErrRejected) {
		tr.fatalf("Do returned %q, which is mettle.ErrRejected, though the function ran %d times", err, len(made))
	}
}

func tryRejection(tr *trial) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	dep := NewScript().Then(func(ctx context.Context) error { return ctx.Err() })
	err := tr.do(ended, tr.policy(nil), dep.Run)
	if ran := dep.Calls() > 0; ran == errors.Is(err, mettle.ErrRejected) {
		tr.fatalf("under a context that had ended the function ran %d times and Do returned %v", dep.Calls(), err)
	}
	p := tr.rejecting(nil)
	if p == nil {
		tr.skip("Config.Rejecting is nil: looked only at contexts that have ended")
	}
	dep = NewScript().Then(Succeed())
	for n := 1; n <= 3; n++ {
		err := tr.do(context.Background(), p, dep.Run)
		if dep.Calls() > 0 {
			tr.fatalf("the function ran in call %d of a policy that rejects; Do returned %v", n, err)
		}
		tr.isRejection(fmt.Sprintf("Do, call %d of a policy that rejects,", n), p, err)
	}
	var v int
	err = tr.returned(start(func() (err error) {
		v, err = mettle.Call(context.Background(), p, dep.Call)
		return err
	}))
	if v != 0 || dep.Calls() > 0 {
		tr.fatalf("Call through a policy that rejects returned %d and ran the function %d times", v, dep.Calls())
	}
	tr.isRejection("Call through a policy that rejects", p, err)
}

// isRejection sees to it that err, which what returned, is a rejection by p.
func (tr *trial) isRejection(what string, p mettle.Policy, err error) {
	if !errors.Is(err, mettle.ErrRejected) {
		tr.fatalf("%s returned %v, which is not mettle.ErrRejected, and the function did not run", what, err)
	}
	e, ok := errors.AsType[*mettle.RejectedError](err)
	if !ok {
		tr.fatalf("%s returned %T %q, in which errors.As finds no *mettle.RejectedError", what, err, err)
	}
	if e.Policy == "" || e.Reason == nil {
		tr.fatalf("%s returned a rejection by %q for the reason %v, want both set", what, e.Policy, e.Reason)
	}
	if after, ok := e.RetryAfter(); ok && after < 0 {
		tr.fatalf("%s returned a rejection to be retried after %v", what, after)
	}
	if d, ok := p.(mettle.Describer); ok {
		if d := d.Describe(); e.Policy != d.Kind || e.Name != d.Name {
			tr.fatalf("%s returned a rejection by %q named %q, where Describe says %q named %q", what, e.Policy, e.Name, d.Kind, d.Name)
		}
	}
}
